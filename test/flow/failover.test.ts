// A failover list as OpenSIPS walks it (siprec_start_recording("sip:a;transport=tcp, sip:b")): any refusal leads to the next
// recorder, with a new dialog for the same communication session. Judged on which recorder heard the call.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ListedRecording } from '../../src/archive/list.ts';
import { CallFailed } from '../../src/client/call-plan.ts';
import type { RecordingClient } from '../../src/client/recording-client.ts';
import type { RecordingSession } from '../../src/client/recording-session.ts';
import { openUdpPeer } from '../siprec/raw-peer.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { serve } from './serve-process.ts';

interface Taken {
  session: RecordingSession;
  /** Of the recorders before it in the list: status and Retry-After, or null without a response. */
  refusals: ({ status: number; retryAfter: string | undefined } | null)[];
}

async function firstThatTakes(client: RecordingClient, ports: number[], sipSessionId: string): Promise<Taken> {
  const refusals: Taken['refusals'] = [];
  for (const port of ports) {
    try {
      return { session: await client.connect({ ...toneCall(port, 'tcp'), sipSessionId }), refusals };
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const { response } = error;
      refusals.push(response && { status: response.status, retryAfter: response.get('Retry-After') });
    }
  }
  throw new Error('nobody takes the call');
}

async function optionsStatus(port: number): Promise<string> {
  const peer = await openUdpPeer({ host: '127.0.0.1', port });
  const id = `options-${peer.port}`;
  peer.send(
    [
      `OPTIONS sip:127.0.0.1:${port} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bK${id}`,
      'Max-Forwards: 70',
      `From: <sip:src@127.0.0.1>;tag=o`,
      `To: <sip:127.0.0.1:${port}>`,
      `Call-ID: ${id}`,
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
  const answer = await peer.take(/^SIP\/2\.0 /);
  peer.close();
  return answer.slice(8, 11);
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function expectBothTones({ directory }: ListedRecording): void {
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  for (const [channel, hz] of [440, 880].entries())
    expect(toneLevel(channels[channel]!, sampleRateHz, hz, 150, 650)).toBeGreaterThan(-13);
}

test('full, draining, unreachable: the next recorder has the call; a call that reaches one twice is one recording', {
  timeout: 60_000,
}, async () => {
  const [dataA, dataB] = [await temporaryDirectory(), await temporaryDirectory()];
  const config = join(dataA, 'config.yaml');
  await writeFile(config, 'limits: {recordings: 1}\n');
  const [a, b] = [serve(dataA, '--config', config), serve(dataB)];
  const client = await testClient();
  const list = [await a.sipPort('tcp'), await b.sipPort('tcp')];
  expect([await optionsStatus(await a.sipPort('udp')), await optionsStatus(await b.sipPort('udp'))]).toEqual([
    '200',
    '200',
  ]);

  const first = await firstThatTakes(client, list, 'first@pbx');
  expect(first.refusals).toEqual([]);
  expect(await optionsStatus(await a.sipPort('udp'))).toBe('503');
  const full = await firstThatTakes(client, list, 'full@pbx');
  expect(full.refusals).toMatchObject([{ status: 503, retryAfter: expect.stringMatching(/^\d+$/) }]);

  a.kill('SIGTERM');
  await a.line('draining: new calls are refused');
  const draining = await firstThatTakes(client, list, 'draining@pbx');
  expect(draining.refusals).toMatchObject([{ status: 503, retryAfter: expect.stringMatching(/^\d+$/) }]);

  const unreachable = await firstThatTakes(client, [await closedPort(), list[1]!], 'unreachable@pbx');
  expect(unreachable.refusals).toHaveLength(1);

  // The answer to the first try was lost, say; the client comes again with the same communication session.
  const again = await firstThatTakes(client, [list[1]!], 'unreachable@pbx');
  await sleep(900);
  await unreachable.session.bye();
  await sleep(200);
  for (const { session } of [first, full, draining, again]) await session.bye();

  const [heldByA, ...none] = await filedRecordings(dataA, 1);
  expect([heldByA?.document.call.sipCallId, none]).toEqual([first.session.callId, []]);
  const heldByB = await filedRecordings(dataB, 3);
  expect(heldByB).toHaveLength(3);
  const calls = heldByB.map(({ document }) => document.sessions?.map(({ sipCallId }) => sipCallId) ?? []);
  const expected = [[full], [draining], [unreachable, again]].map((taken) =>
    taken.map(({ session }) => session.callId),
  );
  expect(calls.sort()).toEqual(expected.sort());
  for (const recording of [heldByA!, ...heldByB]) expectBothTones(recording);
});
