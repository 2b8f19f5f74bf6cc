// Who may record, asked of the recorder as its users start it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openUdpPeer } from '../siprec/raw-peer.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';
import { ServeProcess } from './serve-process.ts';

/** A recorder whose configuration file holds this. */
async function recorderWith(text: string) {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(config, text);
  return { data, recorder: recordHere(data, '--config', config) };
}

const request = (method: string, callId: string, lines: string[]) =>
  [
    `${method} sip:srs@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK${callId}`,
    'Max-Forwards: 70',
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    'To: <sip:srs@127.0.0.1>',
    ...lines,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');

const FROM = 'From: <sip:src@127.0.0.1>;tag=1';

test('digest: without a secret 401, with a wrong one 401, with the right one a recording', {
  timeout: 30_000,
}, async () => {
  const { data, recorder } = await recorderWith('access: { digest: true, users: { sbc: s3cret-of-the-sbc } }\n');
  const port = await recorder.sipPort('udp');
  const client = await testClient();
  await expect(client.connect(toneCall(port))).rejects.toThrow('401');
  await expect(client.connect({ ...toneCall(port), credentials: { user: 'sbc', password: 'guess' } })).rejects.toThrow(
    '401',
  );
  for (const transport of ['udp', 'tcp'] as const) {
    const credentials = { user: 'sbc', password: 's3cret-of-the-sbc' };
    const session = await client.connect({ ...toneCall(port, transport), credentials });
    await sleep(300);
    await session.bye();
  }
  expect((await filedRecordings(data, 2)).length).toBe(2);
  expect(recorder.log.some(({ msg }) => /wrong name or secret/.test(msg))).toBe(true);
  expect(JSON.stringify([recorder.log, recorder.noise])).not.toMatch('s3cret-of-the-sbc');
  for (const { document } of await filedRecordings(data, 2)) expect(JSON.stringify(document)).not.toMatch('Digest');
});

test('a scanner and an address that is not allowed: nothing, and 403 with the reason', {
  timeout: 20_000,
}, async () => {
  const { recorder } = await recorderWith(
    'access: { sources: [192.0.2.0/24], callsPerSource: 1, listeners: [{ listen: "udp:127.0.0.1:0", sources: [127.0.0.1] }] }\n',
  );
  const port = await recorder.sipPort('udp');
  const peer = await openUdpPeer({ host: '127.0.0.1', port });
  peer.send(request('OPTIONS', 'scan', [FROM, 'User-Agent: friendly-scanner']));
  peer.send(request('REGISTER', 'scan2', ['From: "sipvicious" <sip:100@1.1.1.1>;tag=1']));
  peer.send(request('OPTIONS', 'honest', [FROM]));
  expect(await peer.take(/^SIP/)).toMatch(/^SIP\/2\.0 200 [\s\S]*Call-ID: honest/);
  expect(peer.left).toEqual([]);
  peer.close();

  const client = await testClient();
  await expect(client.connect(toneCall(port, 'tcp'))).rejects.toThrow('403');
  const session = await client.connect(toneCall(port));
  const second = client.connect(toneCall(port));
  await expect(second).rejects.toThrow('503');
  const refused = await second.catch((error) => error);
  expect(refused.response.get('Retry-After')).toBe('10');
  expect(refused.response.get('Warning')).toMatch('limit of calls');
  await session.bye();
  const third = await client.connect(toneCall(port));
  await third.bye();
});

test('silence: no connection and no answer for strangers', { timeout: 20_000 }, async () => {
  const { recorder } = await recorderWith(
    'access: { sources: [192.0.2.0/24], silent: true, listeners: [{ listen: "udp:127.0.0.1:0", sources: [127.0.0.1] }] }\n',
  );
  const port = await recorder.sipPort('udp');
  const client = await testClient();
  const error = await client.connect({ ...toneCall(port, 'tcp'), answerTimeoutMs: 1_500 }).catch((each) => each);
  expect(error.response ?? null).toBeNull();
  const session = await client.connect(toneCall(port));
  await session.bye();
});

test('every mistake is listed, and keeps the recorder from starting', async () => {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  const users = join(data, 'users');
  await writeFile(
    config,
    'access: { digest: true, sources: [pbx.example, 10.0.0.0/33], listeners: [{ listen: "udp:10.0.0.1:5060" }, { listen: x }] }\n',
  );
  const args = ['--data', data, '--oreka', 'off', '--sip', 'udp:127.0.0.1:0', '--config', config];
  const first = new ServeProcess(args);
  expect((await first.exited).code).toBe(78);
  const told = first.noise.join('\n');
  for (const part of ['access.sources.0', 'access.sources.1', 'access.listeners.1.listen']) expect(told).toMatch(part);

  await writeFile(users, '# ours\nsbc:secret\nnonsense\n a b:c\nsbc:again\n');
  await writeFile(config, `access: { digest: true, usersFile: ${users} }\n`);
  const second = new ServeProcess(args);
  expect((await second.exited).code).toBe(78);
  const lines = second.noise.join('\n');
  for (const part of ['line 3', 'line 4', 'line 5 names a user for the second time']) expect(lines).toMatch(part);
  expect(lines).not.toMatch('secret\\b');
});
