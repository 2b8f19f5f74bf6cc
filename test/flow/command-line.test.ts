// The commands as scripts use them: output, exit codes, and that no secret is shown.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { EventSocketServer } from '../peers/event-socket-server.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { serve } from './serve-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function sipreel(args: string[], environment: Record<string, string> = {}) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, ['src/cli.ts', ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('demo', () => {
  test('records a SIPREC and a mod_oreka call within 15 s: each party in its channel', {
    timeout: 25_000,
  }, async () => {
    const data = await temporaryDirectory();
    const beganMs = Date.now();
    const { code, out, err } = await sipreel(['demo', '--data', data, '--audio', 'tones']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(Date.now() - beganMs).toBeLessThan(15_000);
    const paths = [...out.matchAll(/^\s+(\/.*audio\.wav)$/gm)].map((match) => match[1]!);
    expect(paths).toHaveLength(2);
    for (const path of paths) {
      const { channels, sampleRateHz, durationMs } = readWav(path);
      expect(durationMs).toBeGreaterThan(2_800);
      for (const [index, [own, other]] of [
        [440, 880],
        [880, 440],
      ].entries()) {
        const level = (hz: number) => toneLevel(channels[index]!, sampleRateHz, hz, 200, durationMs - 200);
        expect(level(own!)).toBeGreaterThan(-13);
        expect(level(other!)).toBeLessThan(-60);
      }
    }
    expect(out).toMatch(/left {3}Alice Smith <sip:1001@example.com>/);
    expect(out).toMatch(/right {2}Bob Jones <sip:2002@example.com>/);

    const listed = await sipreel(['list', '--json', '--data', data]);
    const documents = listed.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(documents.map(({ source }) => source)).toEqual(['oreka', 'siprec']);
    expect(documents.map(({ directory }) => join(directory, 'audio.wav')).sort()).toEqual([...paths].sort());
    const forPeople = await sipreel(['list', '--data', data, '--limit', '1']);
    expect(forPeople.out).toMatch(
      /0:0\d\.\d {2}Alice Smith <sip:1001@127.0.0.1> > Bob Jones <sip:2002@127.0.0.1> {2}\d+ packets, 0 % lost/,
    );
    expect(forPeople.out.trim().split('\n')).toHaveLength(2);
  });
});

describe('call', () => {
  test('several calls over TCP, and a summary that scripts can read', async () => {
    const data = await temporaryDirectory();
    const server = serve(data);
    const uri = `sip:127.0.0.1:${await server.sipPort('tcp')};transport=tcp`;
    const { code, out } = await sipreel(['call', uri, '--seconds', '1', '--calls', '3', '--rate', '20', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ attempted: 3, answered: 3, failed: {} });
  });

  test('nobody there: exit code 1 and the reason', async () => {
    const { code, out } = await sipreel(['call', 'sip:127.0.0.1:9;transport=tcp', '--seconds', '1']);
    expect(code).toBe(1);
    expect(out).toMatch(/1 failed/);
  });

  test.each([
    [[], 'A SIP URI is needed'],
    [['sip:127.0.0.1', '--seconds', 'x'], '--seconds needs a number'],
    [['sip:127.0.0.1', '--hold', '5-2', '--codec', 'g729'], '--codec is pcmu, pcma or l16'],
    [['sip:127.0.0.1', '--nonsense'], '--nonsense'],
  ])('wrong arguments %j', async (args, told) => {
    const { code, err } = await sipreel(['call', ...args]);
    expect(code).toBe(64);
    expect(err).toContain(told);
  });
});

describe('config, doctor, help', () => {
  test('config --print shows every setting and no secret', async () => {
    const { code, out } = await sipreel(['config', '--print', '--drachtio', '127.0.0.1:9022'], {
      SIPREEL_DRACHTIO_SECRET: 'hunter2',
      SIPREEL_FREESWITCH_PASSWORD: 'swordfish',
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^ {2}address: 127\.0\.0\.1:9022$/m);
    expect(out).not.toMatch(/hunter2|swordfish/);
  });

  test('doctor finds a taken port and fails', async () => {
    const data = await temporaryDirectory();
    const server = serve(data);
    const port = await server.sipPort('udp');
    const args = [
      'doctor',
      '--data',
      data,
      '--http',
      'off',
      '--sip',
      `udp:127.0.0.1:${port}`,
      '--rtp-ports',
      '10000-10999',
    ];
    const { code, out } = await sipreel(args);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`^fail {2}SIP address udp:127.0.0.1:${port} cannot be bound`, 'm'));
    expect(out).toMatch(/^ok {4}data, spool, archive directory/m);
  });

  test('a reader that has enough ends a command without a word', async () => {
    const child = spawn(process.execPath, ['src/cli.ts', 'config', '--print'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const said = text(child.stderr);
    const [code] = await once(child, 'exit');
    expect({ code, said: await said }).toEqual({ code: 0, said: '' });
  });

  test('every command has a help text, and an unknown one is refused', { timeout: 40_000 }, async () => {
    const help = await sipreel(['--help']);
    expect(help.code).toBe(0);
    const commands = [...help.out.matchAll(/^ {2}([\w-]+) +/gm)].map((match) => match[1]!);
    expect(commands).toEqual([
      'serve',
      'demo',
      'call',
      'list',
      'deliveries',
      'show',
      'play',
      'export',
      'reindex',
      'recover',
      'rotate-keys',
      'upkeep',
      'verify',
      'doctor',
      'freeswitch',
      'record',
      'live',
      'pause',
      'resume',
      'stop',
      'rules',
      'token',
      'config',
    ]);
    const helps = await Promise.all(commands.map((command) => sipreel([command, '--help'])));
    for (const [i, { code, out }] of helps.entries()) {
      expect([code, out.startsWith(`sipreel ${commands[i]}`)]).toEqual([0, true]);
    }
    expect((await sipreel(['record'])).code).toBe(64);
  });
});

describe('token', () => {
  test('lets somebody in to what a running recorder has, and out again', { timeout: 60_000 }, async () => {
    const data = await temporaryDirectory();
    const { http } = (await serve(data).line('ready', 30_000)) as unknown as { http: string[] };
    const status = async (token: string) =>
      (await fetch(`${http[0]}/api/recordings`, { headers: { authorization: `Bearer ${token}` } })).status;
    const command = (...args: string[]) => sipreel(['token', ...args, '--data', data]);

    const created = await command('create', 'ann', '--role', 'manage', '--scope', 'party:10*', '--expires', '1d');
    expect(created).toMatchObject({ code: 0, err: '' });
    const token = created.out.trim();
    expect(await status(token)).toBe(200);
    const listed = await command('list');
    expect(listed.out).toMatch(/^ann {2}manage {2}party:10\* {2}until \d{4}-/);
    expect(listed.out).not.toMatch(token);
    expect((await command('revoke', 'ann')).code).toBe(0);
    expect(await status(token)).toBe(401);
    expect((await command('revoke', 'ann')).code).toBe(1);

    const link = (await command('link')).out.trim();
    const [url, code] = link.split('/#login=');
    expect(url).toBe(http[0]);
    const login = await fetch(`${url}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    expect(await login.json()).toMatchObject({ name: 'local', role: 'admin' });
    const audit = (await readFile(join(data, 'audit.jsonl'), 'utf8')).trim().split('\n');
    expect(audit.map((line) => JSON.parse(line).action)).toEqual(['token-created', 'token-revoked', 'login']);
  });

  test('mistakes are told', async () => {
    const data = await temporaryDirectory();
    const code = async (...args: string[]) => (await sipreel(['token', ...args, '--data', data])).code;
    expect(await code('create', 'a', '--role', 'root')).toBe(64);
    expect(await code('create', 'a', '--scope', '10*')).toBe(64);
    expect(await code('create', 'a', '--expires', '2001-01-01')).toBe(64);
    expect(await code('create', '../a')).toBe(78);
    expect(await code('link')).toBe(69);
  });
});

describe('freeswitch', () => {
  const UUID = '07cebeeb-b06d-4704-a6c2-f247c7ec4370';

  async function fakeFreeswitch() {
    const rows = [
      { uuid: UUID, direction: 'inbound', cid_num: '2001', cid_name: 'Alice', dest: '1002', callstate: 'ACTIVE' },
    ];
    const server = new EventSocketServer({
      password: 'swordfish',
      answer: (command) =>
        command.startsWith('show channels') ? JSON.stringify({ row_count: 1, rows }) : '+OK Message sent\n',
    });
    const port = await server.listen();
    whenTestEnds(() => server.close());
    return { server, at: ['--event-socket', `127.0.0.1:${port}`] };
  }
  const password = { SIPREEL_FREESWITCH_PASSWORD: 'swordfish' };

  test('lists calls, starts and stops one', async () => {
    const { server, at } = await fakeFreeswitch();
    const calls = await sipreel(['freeswitch', 'calls', ...at], password);
    expect(calls).toMatchObject({ code: 0, err: '' });
    expect(calls.out).toMatch(`${UUID}  `);
    expect(calls.out).toMatch('Alice (2001) > 1002  ACTIVE');
    expect((await sipreel(['freeswitch', 'start', UUID, ...at], password)).code).toBe(0);
    expect((await sipreel(['freeswitch', 'stop', UUID, ...at], password)).code).toBe(0);
    expect(server.commands.filter((command) => command.includes('oreka'))).toEqual([
      `api uuid_broadcast ${UUID} oreka_record:: aleg`,
      `api uuid_broadcast ${UUID} oreka_record::stop aleg`,
    ]);
  });

  test('the wrong password fails without showing it; something that is no uuid never becomes a command', async () => {
    const { server, at } = await fakeFreeswitch();
    const refused = await sipreel(['freeswitch', 'calls', ...at], { SIPREEL_FREESWITCH_PASSWORD: 'wrong-one' });
    expect(refused.code).toBe(1);
    expect(refused.out + refused.err).not.toMatch('wrong-one');
    const injected = await sipreel(['freeswitch', 'start', `${UUID} ; shutdown`, ...at], password);
    expect(injected.code).toBe(1);
    expect(server.commands.join('\n')).not.toMatch('shutdown');
    expect((await sipreel(['freeswitch', 'calls'], { SIPREEL_FREESWITCH_PASSWORD: '' })).code).toBe(64);
  });
});
