// Others are told of calls, whatever happens to them and to us.
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { webhookKey } from '../../src/delivery/signature.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { serve, serveAgain } from './serve-process.ts';

interface Told {
  id: string;
  type: string;
  recordingId: string;
}

/** Refuses everything until `up` is set. */
async function receiver() {
  const state = { up: false, refused: 0, told: [] as Told[] };
  const server = createServer(async (request, response) => {
    const body = (await json(request).catch(() => null)) as {
      type: string;
      data: { recording: { id: string } };
    } | null;
    if (!state.up) {
      state.refused++;
      response.writeHead(503).end();
      return;
    }
    const { type, data } = body!;
    state.told.push({ id: String(request.headers['webhook-id']), type, recordingId: data.recording.id });
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { state, port: (server.address() as AddressInfo).port };
}

test('a receiver that is down while calls are made and the recorder is killed is told each event once, in order', {
  timeout: 60_000,
}, async () => {
  const data = await temporaryDirectory();
  const { state, port } = await receiver();
  const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
  expect(webhookKey(secret)).not.toBeNull();
  const config = join(await temporaryDirectory(), 'sipreel.yaml');
  const target = `{ kind: webhook, name: crm, url: 'http://127.0.0.1:${port}/hook', secret: '${secret}', allowInternal: true }`;
  await writeFile(config, `delivery:\n  targets:\n    - ${target}\n`);

  const first = serve(data, '--config', config);
  const client = await testClient();
  const session = await client.connect(toneCall(await first.sipPort('udp')));
  await until(() => state.refused > 0);
  await session.bye();
  await filedRecordings(data, 1);
  const running = await client.connect(toneCall(await first.sipPort('udp')));
  await sleep(700);
  first.kill('SIGKILL');
  await first.exited;

  state.up = true;
  const second = await serveAgain(first, '--config', config);
  await second.line('ready');
  await running.bye();
  const recordings = await filedRecordings(data, 2);
  await until(() => state.told.length >= 4);
  await sleep(500);
  expect(new Set(state.told.map(({ id }) => id)).size).toBe(state.told.length);
  for (const { document } of recordings) {
    const own = state.told.filter(({ recordingId }) => recordingId === document.id).map(({ type }) => type);
    expect(own).toEqual(['recording.started', 'recording.finished']);
  }
  expect(state.told).toHaveLength(4);
});

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 600 && !condition(); round++) await sleep(50);
  expect(condition()).toBe(true);
}
