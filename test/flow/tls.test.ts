// A SIPREC call over TLS, to the recorder as its users start it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createRecordingClient } from '../../src/client/recording-client.ts';
import type { ClientSrf } from '../../src/client/srf.ts';
import { connectDrachtio } from '../../src/drachtio/connection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createSipServer, type TlsSettings } from '../../src/sip-server/index.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { sleep, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';
import { ServeProcess } from './serve-process.ts';

const pem = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** A recording client whose SIP server has TLS with these certificates. */
async function tlsClient(tls: TlsSettings) {
  const admin = { host: '127.0.0.1', port: 0, secret: 's' };
  const server = createSipServer({ listeners: [{ transport: 'tls', host: '127.0.0.1', port: 0, tls }], admin });
  const started = await server.start();
  whenTestEnds(() => server.close());
  const connection = await connectDrachtio({ ...started.admin, secret: 's', log: silentLog, patienceMs: 0 });
  whenTestEnds(() => connection.close());
  const srf = connection.srf as unknown as ClientSrf;
  return createRecordingClient({ srf, localHost: '127.0.0.1', clock: systemClock, log: silentLog });
}

test('with the right client certificate it is recorded, with a foreign one there is no connection', {
  timeout: 30_000,
}, async () => {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(
    config,
    `tls:\n  certificateFile: ${pem('server.pem')}\n  keyFile: ${pem('server.key')}\n  authoritiesFile: ${pem('ca.pem')}\n  clientCertificates: require\n`,
  );
  const recorder = recordHere(data, '--config', config, '--sip', 'tls:127.0.0.1:0');
  const { sip } = (await recorder.line('ready')) as unknown as { sip: string[] };
  const port = Number(
    sip
      .find((address) => address.startsWith('tls:'))
      ?.split(':')
      .at(-1),
  );
  const request = { ...toneCall(port), uri: `sip:127.0.0.1:${port};transport=tls` };

  const trusted = await tlsClient({
    certificateFile: pem('client.pem'),
    keyFile: pem('client.key'),
    authoritiesFile: pem('ca.pem'),
  });
  const session = await trusted.connect(request);
  await sleep(1_200);
  await session.bye();
  const [recording] = await filedRecordings(data, 1);
  expect(recording!.document).toMatchObject({ state: 'finished', endReason: 'ended' });
  expect(recording!.document.call.peer).toMatch(/^tls:127\.0\.0\.1:/);
  const { channels, sampleRateHz } = readWav(join(recording!.directory, 'audio.wav'));
  expect(toneLevel(channels[0]!, sampleRateHz, 440, 100, 1_000)).toBeGreaterThan(-13);
  expect(toneLevel(channels[1]!, sampleRateHz, 880, 100, 1_000)).toBeGreaterThan(-13);

  const foreign = await tlsClient({
    certificateFile: pem('foreign.pem'),
    keyFile: pem('foreign.key'),
    authoritiesFile: pem('ca.pem'),
  });
  await expect(foreign.connect({ ...request, answerTimeoutMs: 3_000 })).rejects.toThrow();
});

test('a certificate that cannot be read keeps the recorder from starting, and is named', async () => {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(config, `tls: { certificateFile: ${pem('server.pem')}, keyFile: /nonexistent/server.key }\n`);
  const recorder = new ServeProcess([
    '--data',
    data,
    '--config',
    config,
    '--oreka',
    'off',
    '--http',
    'off',
    '--sip',
    'tls:127.0.0.1:0',
  ]);
  expect((await recorder.exited).code).toBe(71);
  expect(recorder.log.at(-1)?.msg).toMatch('/nonexistent/server.key');
  const incomplete = new ServeProcess(['--data', data, '--oreka', 'off', '--http', 'off', '--sip', 'tls:127.0.0.1:0']);
  expect((await incomplete.exited).code).toBe(78);
  expect(incomplete.noise.join('\n')).toMatch('tls.certificateFile: is needed for a tls listener');
});
