// The lines that examples/ says to put into a PBX, sent as the PBX sends them.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type DoorUnderTest, openDoor } from '../http/door-under-test.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { makeWav } from '../support/wav.ts';

const example = (name: string) => readFile(fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)), 'utf8');
const TOKEN_PLACE = 'sipreel_PUT_THE_TOKEN_HERE';
const ADDRESS = '127.0.0.1:8060';

async function byNumber(door: DoorUnderTest, number: string) {
  const path = `/api/recordings?number=${encodeURIComponent(number)}`;
  const answer = await door.ask(path, await door.newToken('listen'));
  return ((await answer.json()) as { items: { id: string }[] }).items.map((item) => item.id);
}

describe('FreePBX', () => {
  test('the post-recording line, run by a shell as Asterisk does', async () => {
    const door = await openDoor();
    const directory = await temporaryDirectory();
    const header = join(directory, 'sipreel.header');
    const name = 'out-+49301234567-1001-20260102-040405-1767323045.17.wav';
    const recording = join(directory, name);
    await writeFile(
      header,
      (await example('freepbx/sipreel.header')).replace(TOKEN_PLACE, await door.newToken('import')),
    );
    await writeFile(recording, makeWav());
    const line = (await example('freepbx/post-recording.txt'))
      .replace('/etc/asterisk/sipreel.header', header)
      .replace('^{MIXMONITOR_FILENAME}', recording)
      .replace(ADDRESS, `127.0.0.1:${door.port}`);
    expect(line).toContain(String(door.port));
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', line]);
    const { id } = JSON.parse(stdout) as { id: string };

    const { document } = (await door.library.get(id))!;
    expect(document).toMatchObject({
      times: { start: '2026-01-02T03:04:05.000Z', durationMs: 200 },
      call: { vendor: { uniqueid: '1767323045.17', direction: 'outbound', fileName: name } },
      participants: [
        { aor: '1001', role: 'caller', rule: 'import-file-name, mixed' },
        { aor: '+49301234567', role: 'callee', rule: 'import-file-name, mixed' },
      ],
    });
    expect(document.warnings.map(({ code }) => code)).toEqual(['mixed-audio', 'start-from-name']);
    expect(await byNumber(door, '030 1234567')).toEqual([id]);
    expect(await byNumber(door, '1001')).toEqual([id]);
    // Sent again, it is the same.
    const again = await promisify(execFile)('/bin/sh', ['-c', line]);
    expect(JSON.parse(again.stdout)).toMatchObject({ id });
  });
});

describe('FreeSWITCH', () => {
  const VARIABLES: Record<string, string> = {
    uuid: '07cebeeb-b06d-4704-a6c2-f247c7ec4370',
    sip_call_id: 'a84b4c76e66710@pc33.example.com',
    caller_id_number: '+49301234567',
    caller_id_name: 'Ann & Ångström (Sales)',
  };

  /** As the dialplan fills it in. */
  async function expandedPath(destination: string): Promise<string> {
    const [, data = ''] =
      /application="record_session" data="([^"]+)"/.exec(await example('freeswitch-httapi/dialplan.xml')) ?? [];
    return data
      .replaceAll('&amp;', '&')
      .replaceAll('$1', destination)
      .replace(/\$\{strepoch\(\)\}/, '1767323045')
      .replace(/\$\{(\w+)\}/g, (_, name: string) => VARIABLES[name] ?? '')
      .replace(/\$\{url_encode\(((?:[^()]|\([^()]*\))*)\)\}/g, (_, value: string) =>
        encodeURIComponent(value).replaceAll('(', '%28').replaceAll(')', '%29'),
      );
  }

  /** What `file_open` of mod_httapi makes of a path: options in brackets, and the address. */
  function split(path: string) {
    const [, options = '', address = ''] = /^http:\/\/\(([^)]*)\)(.*)$/.exec(path) ?? [];
    const named = Object.fromEntries(options.split(',').map((one) => one.split('=') as [string, string]));
    return { named, url: `http://${address}` };
  }

  const params = (url: string, file: string) => ({
    session_id: '5f3c2a10-0000-4000-8000-000000000001',
    put_file: `/tmp/5f3c2a10-0000-4000-8000-000000000001_${file}`,
    url,
    file_driver: 'true',
    HTTAPI_SESSION_ID: '5f3c2a10-0000-4000-8000-000000000001',
    hostname: 'pbx',
  });

  test('PUT: chunked, without a type, its own parameters behind ours, the token as the password', async () => {
    const door = await openDoor();
    const profile = (await example('freeswitch-httapi/httapi.conf.xml')).replace(
      TOKEN_PLACE,
      await door.newToken('import'),
    );
    const parameter = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(profile)![1]!;
    const { named, url } = split(await expandedPath('2002'));
    expect(named).toEqual({ profile: 'sipreel', method: 'put', file: `${VARIABLES.uuid}.wav` });
    const target = `${url}&${new URLSearchParams(params(url, named.file!))}`.replace(ADDRESS, `127.0.0.1:${door.port}`);
    const wav = makeWav({ channels: 2 });
    const answer = await new Promise<{ status: number; id: string }>((resolve, reject) => {
      const request = httpRequest(target, {
        method: parameter('method'),
        auth: parameter('gateway-credentials'),
        headers: {
          'transfer-encoding': 'chunked',
          'user-agent': 'mod_httapi/1.0',
          cookie: 'HTTAPI_SESSION_ID=1',
          accept: '*/*',
        },
      });
      request.on('error', reject).on('response', async (response) => {
        const body = JSON.parse((await response.toArray()).join('')) as { id: string };
        resolve({ status: response.statusCode!, id: body.id });
      });
      for (let at = 0; at < wav.length; at += 1_000) request.write(wav.subarray(at, at + 1_000));
      request.end();
    });
    expect(answer.status).toBe(201);
    const { document } = (await door.library.get(answer.id))!;
    expect(document).toMatchObject({
      times: { start: '2026-01-02T03:04:05.000Z' },
      call: { sipCallId: VARIABLES.sip_call_id },
      participants: [
        { aor: VARIABLES.caller_id_number, name: VARIABLES.caller_id_name, role: 'caller', channel: 0 },
        { aor: '2002', role: 'callee', channel: 1 },
      ],
      audio: { channels: 2, layout: 'caller-callee' },
      warnings: [],
    });
    expect(JSON.stringify(document)).not.toContain('sipreel_');
    expect(await byNumber(door, '030 1234567')).toEqual([answer.id]);
  });

  test('POST: a form with the file first', async () => {
    const door = await openDoor();
    const { named, url } = split(await expandedPath('2002'));
    const data = new FormData();
    data.append('recorded_file', new Blob([new Uint8Array(makeWav({ channels: 2 }))]), named.file!);
    for (const [name, value] of Object.entries(params(url, named.file!))) data.append(name, value);
    const authorization = `Basic ${Buffer.from(`freeswitch:${await door.newToken('import')}`).toString('base64')}`;
    const answer = await fetch(url.replace(ADDRESS, `127.0.0.1:${door.port}`), {
      method: 'POST',
      body: data,
      headers: { authorization },
    });
    expect(answer.status).toBe(201);
    expect(await byNumber(door, '2002')).toHaveLength(1);
  });
});
