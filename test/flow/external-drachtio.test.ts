// The same application on a drachtio server that is another process's. Ours stands in for it: it speaks the same protocol,
// and only over its admin port can the recorder be reached.

import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createSipServer, type SipServer } from '../../src/sip-server/index.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { ServeProcess } from './serve-process.ts';

const SECRET = 'cymru';

async function drachtioServer(adminPort = 0) {
  const server: SipServer = createSipServer({
    listeners: [
      { transport: 'udp', host: '127.0.0.1', port: 0 },
      { transport: 'tcp', host: '127.0.0.1', port: 0 },
    ],
    admin: { host: '127.0.0.1', port: adminPort, secret: SECRET },
  });
  const { admin, listeningPoints } = await server.start();
  whenTestEnds(() => server.close());
  return { server, adminPort: admin.port, sipPort: listeningPoints.find(({ transport }) => transport === 'udp')!.port };
}

async function recorderOn(adminPort: number, secret = SECRET) {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(config, 'drachtio: { patienceSeconds: 1 }\noreka: { listen: [] }\nhttp: { listen: [] }\n');
  const firstPort = 3_000 + 100 * Math.floor(Math.random() * 20);
  const recorder = new ServeProcess(
    [
      '--config',
      config,
      '--data',
      data,
      '--drachtio',
      `127.0.0.1:${adminPort}`,
      '--media-address',
      '127.0.0.1',
      '--rtp-ports',
      `${firstPort}-${firstPort + 99}`,
    ],
    { SIPREEL_DRACHTIO_SECRET: secret },
  );
  whenTestEnds(async () => {
    recorder.kill('SIGKILL');
    await recorder.exited;
  });
  return { data, recorder };
}

describe('an external drachtio server', () => {
  test('calls through it are recorded; when it comes back after a loss, so are the next', async () => {
    const first = await drachtioServer();
    const { data, recorder } = await recorderOn(first.adminPort);
    expect(await recorder.line('ready')).toMatchObject({
      sip: expect.arrayContaining([`udp:127.0.0.1:${first.sipPort}`]),
    });
    const client = await testClient();
    const session = await client.connect(toneCall(first.sipPort));
    await sleep(1_200);
    await session.bye();
    const [recording] = await filedRecordings(data, 1);
    const { channels, sampleRateHz } = readWav(join(recording!.directory, 'audio.wav'));
    expect(toneLevel(channels[0]!, sampleRateHz, 440, 100, 1_000)).toBeGreaterThan(-13);
    expect(toneLevel(channels[1]!, sampleRateHz, 880, 100, 1_000)).toBeGreaterThan(-13);

    await first.server.close();
    await recorder.line('drachtio connection closed: reconnecting');
    const second = await drachtioServer(first.adminPort);
    await recorder.line('drachtio connection is back', 15_000);
    const again = await client.connect(toneCall(second.sipPort));
    await sleep(500);
    await again.bye();
    expect(await filedRecordings(data, 2)).toHaveLength(2);
  });

  test.each([
    [
      'the wrong secret',
      77,
      'refused the secret',
      async () => ({ port: (await drachtioServer()).adminPort, secret: 'wrong' }),
    ],
    ['nobody there', 69, 'could not be reached', async () => ({ port: 1, secret: SECRET })],
    [
      'a web server',
      76,
      'does not answer as a drachtio server',
      async () => ({ port: await webServer(), secret: SECRET }),
    ],
  ])('%s: exit code %i, and why', async (_, exitCode, why, address) => {
    const { port, secret } = await address();
    const { recorder } = await recorderOn(port, secret);
    expect((await recorder.exited).code).toBe(exitCode);
    expect(recorder.log.at(-1)?.msg).toMatch(why);
    expect(JSON.stringify(recorder.log)).not.toContain(secret);
  });
});

async function webServer(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  whenTestEnds(() => {
    server.close();
  });
  return (server.address() as { port: number }).port;
}
