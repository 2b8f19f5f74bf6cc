// Recordings on the command line, beside a running recorder and without one: handed in, found by number, shown, heard, handed on.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { parseWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { unsignedVcon } from '../support/vcon-rules.ts';
import { makeWav } from '../support/wav.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { serve } from './serve-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function sipreel(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['src/cli.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [out, err, code] = await Promise.all([buffer(child.stdout), text(child.stderr), closed]);
  return { code, out: out.toString(), raw: out, err };
}

const STEREO = makeWav({ channels: 2, durationMs: 500 });

test('found by number, shown, played and exported', { timeout: 120_000 }, async () => {
  // What is given out is what was handed in, whatever it is on the disk.
  vi.stubEnv('SIPREEL_MASTER_KEY', `a:${createHash('sha256').update('test').digest('base64')}`);
  whenTestEnds(() => void vi.unstubAllEnvs());
  const data = await temporaryDirectory();
  const command = (...args: string[]) => sipreel([...args, '--data', data]);
  const server = serve(data);
  const [{ http }, created] = await Promise.all([
    server.line('ready', 60_000) as unknown as Promise<{ http: string[] }>,
    command('token', 'create', 'pbx', '--role', 'import'),
  ]);
  const handIn = async (query: string, wav: Buffer) => {
    const headers = { authorization: `Bearer ${created.out.trim()}` };
    const init = { method: 'PUT', headers, body: new Uint8Array(wav) };
    const answer = await fetch(
      `${http[0]}/api/import/out-+49301234567-1001-20260102-040405-1767323045.17.wav?${query}`,
      init,
    );
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: string }).id;
  };
  const query = new URLSearchParams({ channels: 'caller-left', callerName: 'Ann\u001b[31m', tags: 'urgent' });
  const id = await handIn(String(query), STEREO);
  await handIn('caller=3003&callee=4004&start=2026-01-01T00:00:00Z', makeWav());

  const told = [
    command('list', '--number', '030 1234567', '--json'),
    command('list', '--tag', 'urgent', '--source', 'import', '--from', '2026-01-02', '--to', '2026-01-03'),
    command('list', '--party', 'nobody'),
    command('show', id.slice(0, 9), '--json'),
    command('show', id),
    command('play', id, '-o', '-', '--channel', 'right'),
    command('export', id, '--to', '-', '--format', 'vcon'),
  ];
  const [byNumber, forPeople, none, shown, page, right, vcon] = await Promise.all(told);
  expect(byNumber!.err).toBe('');
  const listed = byNumber!.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; directory: string });
  expect(listed.map((one) => one.id)).toEqual([id]);
  expect(await readdir(listed[0]!.directory)).not.toContain('audio.wav');
  expect(forPeople!.out).toMatch(
    /^2026-01-02 03:04:05 {4}0:00.5 {2}Ann\ufffd\[31m <1001> > \+49301234567 {2}handed in/,
  );
  expect(none).toMatchObject({ code: 0, out: 'No recording answers that.\n' });
  expect(JSON.parse(shown!.out)).toMatchObject({
    id,
    directory: listed[0]!.directory,
    annotations: { tags: ['urgent'] },
  });
  expect(page!.out).toMatch(/^ {2}left {3}caller {2}Ann/m);
  expect(page!.out).toMatch(/^Warnings\n {2}start-from-name: /m);
  expect(page!.out).not.toContain('\u001b');
  const heard = parseWav(right!.raw);
  expect(heard.channels).toHaveLength(1);
  expect(toneLevel(heard.channels[0]!, 8000, 880, 50, 450)).toBeGreaterThan(-13);
  expect(toneLevel(heard.channels[0]!, 8000, 440, 50, 450)).toBeLessThan(-60);
  expect(Buffer.from(unsignedVcon.parse(JSON.parse(vcon!.out)).dialog![0]!.body!, 'base64url')).toEqual(STEREO);

  // Without the recorder, without its index, and through a player.
  server.child.kill('SIGTERM');
  await server.exited;
  for (const name of await readdir(data)) if (name.startsWith('index.sqlite')) await rm(join(data, name));
  const programs = await temporaryDirectory();
  const player = join(programs, 'ffplay');
  await writeFile(player, `#!/bin/sh\n/bin/cat > "${programs}/heard.wav"\n`);
  await chmod(player, 0o755);
  const out = join(programs, 'out');
  const later = await Promise.all([
    command('list', '--number', '+49301234567', '--json'),
    sipreel(['play', id, '--data', data], { PATH: programs }),
    sipreel(['play', id, '--data', data], { PATH: out }),
    command('export', id.slice(0, 8), 'ffffffff', '--to', out, '--json'),
    command('show', 'ffffffff'),
  ]);
  const [again, played, noPlayer, exported, missing] = later;
  expect(JSON.parse(again.out)).toMatchObject({ id });
  expect(played).toMatchObject({ code: 0, err: '' });
  expect(await readFile(join(programs, 'heard.wav'))).toEqual(STEREO);
  expect(noPlayer).toMatchObject({ code: 1 });
  expect(noPlayer.err).toMatch(/No player found.*-o FILE/);
  expect(exported.code).toBe(1);
  expect(exported.err).toMatch(/^ffffffff: There is no such recording/);
  const { file, octets } = JSON.parse(exported.out) as { file: string; octets: number };
  expect([await readFile(file), octets]).toEqual([STEREO, STEREO.length]);
  expect(missing.code).toBe(1);
  const twice = await command('export', id, '--to', out);
  expect([twice.code, await readdir(out)]).toEqual([1, [file.slice(out.length + 1)]]);

  const audit = (await readFile(join(data, 'audit.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const acts = audit.filter(({ who }) => who === 'local').map(({ action }) => action as string);
  expect(acts.sort()).toEqual(['export', 'export', 'export', 'play', 'play', 'token-created']);
});

test('wrong arguments are told', { timeout: 60_000 }, async () => {
  const data = await temporaryDirectory();
  const wrong: [string[], string][] = [
    [['list', '--from', 'yesterday'], '--from is a time'],
    [['show'], 'sipreel show ID'],
    [['play', 'x', '--channel', 'middle'], 'sipreel play ID'],
    [['export', 'x', 'y', '--to', '-'], 'sipreel export ID'],
  ];
  const answers = await Promise.all(wrong.map(([args]) => sipreel([...args, '--data', data])));
  for (const [i, { code, err }] of answers.entries()) {
    expect(code).toBe(64);
    expect(err).toContain(wrong[i]![1]);
  }
});
