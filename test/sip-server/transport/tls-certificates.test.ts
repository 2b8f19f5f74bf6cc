// Which certificates a TLS listener shows and takes, and what happens when its files change.

import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/lib/clock.ts';
import type { TlsSettings } from '../../../src/sip-server/transport/tls-settings.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../support/layers.ts';
import { requestBytes } from '../support/messages.ts';
import { certificateFile, identity, pem, startTls, type TlsLayer, type TlsPeer, tlsPeer, tryTls } from './tls-peers.ts';

const cleanups: (() => unknown)[] = [];
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sip-tls-'));
  await install('server');
  await copyFile(certificateFile('ca.pem'), at('ca.pem'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(directory, { recursive: true });
});

const at = (name: string) => join(directory, name);

/** Puts a certificate and its key where the listener looks. */
async function install(name: 'server' | 'renewed', what: 'both' | 'certificate' | 'key' = 'both'): Promise<void> {
  if (what !== 'key') await copyFile(certificateFile(`${name}.pem`), at('server.pem'));
  if (what !== 'certificate') await copyFile(certificateFile(`${name}.key`), at('server.key'));
}

async function start(tls: Partial<TlsSettings> = {}, clock?: Clock): Promise<TlsLayer> {
  const files = { certificateFile: at('server.pem'), keyFile: at('server.key'), authoritiesFile: at('ca.pem') };
  const started = await startTls({ tls: { ...files, ...tls }, ...(clock ? { clock } : {}) });
  cleanups.push(() => started.layer.close());
  return started;
}

async function peer(...options: Parameters<typeof tlsPeer>): Promise<TlsPeer> {
  const each = await tlsPeer(...options);
  cleanups.push(() => each.socket.destroy());
  return each;
}

const FINGERPRINTS = {
  server: new X509Certificate(pem('server.pem')).fingerprint256,
  renewed: new X509Certificate(pem('renewed.pem')).fingerprint256,
};

async function shown(port: number): Promise<string> {
  const client = await peer(port);
  // With TLS 1.3 the client is through before the server: only an answer shows that the connection stands.
  client.socket.write('\r\n\r\n');
  await until(() => client.text() === '\r\n');
  return client.socket.getPeerCertificate().fingerprint256;
}

const messages = ({ log }: TlsLayer) => log.filter(({ level }) => level !== 'debug').map(({ message }) => message);

describe('new files', () => {
  test('are taken for new connections, and open ones go on', async () => {
    const clock = new ManualClock();
    const started = await start({}, clock);
    const { layer, received, port } = started;
    const old = await peer(port);
    await install('renewed');
    expect(await shown(port)).toBe(FINGERPRINTS.server);
    clock.advance(10_000);
    await until(() => messages(started).length === 1);
    expect(messages(started)).toEqual(['the TLS certificate was renewed']);
    expect(started.log.at(-1)?.fields).toEqual({
      certificateFile: at('server.pem'),
      fingerprint256: FINGERPRINTS.renewed,
    });
    expect(await shown(port)).toBe(FINGERPRINTS.renewed);
    old.socket.write(requestBytes());
    await until(() => received.length === 1);
    await received[0]!.flow.send(Buffer.from('answer'));
    await until(() => old.text() === 'answer');
    expect(layer.counters.handshakesFailed).toBe(0);
  });

  test('files that have not changed are not read again', async () => {
    const clock = new ManualClock();
    const started = await start({}, clock);
    for (let i = 0; i < 5; i++) {
      const timers = clock.pendingTimers;
      clock.advance(10_000);
      await until(() => clock.pendingTimers === timers);
    }
    expect(messages(started)).toEqual([]);
    const now = new Date();
    await utimes(at('server.key'), now, now);
    clock.advance(10_000);
    await until(() => messages(started).length === 1);
  });

  test('a certificate before its key: the old pair stays until both are there', async () => {
    const clock = new ManualClock();
    const started = await start({}, clock);
    await install('renewed', 'certificate');
    clock.advance(10_000);
    await until(() => messages(started).length === 1);
    expect(await shown(started.port)).toBe(FINGERPRINTS.server);
    await install('renewed', 'key');
    clock.advance(10_000);
    await until(() => messages(started).length === 2);
    expect(await shown(started.port)).toBe(FINGERPRINTS.renewed);
    expect(messages(started)).toEqual([
      'the new TLS certificate cannot be used, the old one stays',
      'the TLS certificate was renewed',
    ]);
    expect(started.log.find(({ level }) => level === 'error')?.fields).toMatchObject({
      err: {
        file: at('server.key'),
        message: `The TLS key file ${at('server.key')} does not belong to the certificate in ${at('server.pem')}.`,
      },
    });
  });

  test.each([
    ['broken', () => writeFile(at('server.pem'), pem('server.pem').slice(0, 300))],
    ['gone', () => rm(at('server.key'))],
    ['empty', () => writeFile(at('ca.pem'), '')],
  ])('%s: said once, the old ones stay, and whole ones are taken again', async (_, spoil) => {
    const clock = new ManualClock();
    const started = await start({}, clock);
    await spoil();
    clock.advance(10_000);
    await until(() => messages(started).length === 1);
    const timers = clock.pendingTimers;
    clock.advance(10_000);
    await until(() => clock.pendingTimers === timers);
    expect(messages(started)).toEqual(['the new TLS certificate cannot be used, the old one stays']);
    expect(await shown(started.port)).toBe(FINGERPRINTS.server);
    await copyFile(certificateFile('ca.pem'), at('ca.pem'));
    await install('renewed');
    clock.advance(10_000);
    await until(() => messages(started).length === 2);
    expect(await shown(started.port)).toBe(FINGERPRINTS.renewed);
  });

  test('new authorities decide about new clients', async () => {
    const clock = new ManualClock();
    const started = await start({ clientCertificates: 'require' }, clock);
    expect(await tryTls(started.port, identity('foreign'))).toBe('closed');
    await writeFile(at('ca.pem'), pem('foreign-ca.pem'));
    clock.advance(10_000);
    await until(() => messages(started).includes('the TLS certificate was renewed'));
    expect(await tryTls(started.port, identity('foreign'))).toBe('open');
    expect(await tryTls(started.port, identity('client'))).toBe('closed');
  });

  test('nothing is looked at after close', async () => {
    const clock = new ManualClock();
    const { layer } = await start({}, clock);
    clock.advance(10_000);
    await layer.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('at the start', () => {
  const encrypted = () =>
    generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
    }).privateKey;
  const weak = () =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey;

  test.each([
    ['server.pem', 'certificate', () => rm(at('server.pem')), 'there is no such file'],
    ['server.key', 'key', () => rm(at('server.key')), 'there is no such file'],
    ['server.pem', 'certificate', () => writeFile(at('server.pem'), ''), 'it holds no such PEM block'],
    ['server.pem', 'certificate', () => writeFile(at('server.pem'), pem('server.key')), 'it holds no such PEM block'],
    [
      'server.pem',
      'certificate',
      () => writeFile(at('server.pem'), pem('server.pem').slice(0, 300)),
      'PEM routines::bad end line',
    ],
    ['server.key', 'key', () => writeFile(at('server.key'), pem('server.pem')), 'it holds no such PEM block'],
    ['server.key', 'key', () => writeFile(at('server.key'), encrypted()), 'it is encrypted'],
    [
      'server.pem',
      'certificate',
      () => writeFile(at('server.pem'), `${pem('server.pem')}${pem('ca.pem').replace(/M[A-Z]/, '!!')}`),
      'PEM routines::bad base64 decode',
    ],
    [
      'ca.pem',
      'authorities',
      () => writeFile(at('ca.pem'), pem('ca.pem').replace(/M[A-Z]/, '!!')),
      'PEM routines::bad base64 decode',
    ],
    ['ca.pem', 'authorities', () => writeFile(at('ca.pem'), Buffer.alloc(4_194_305)), 'it has 4194305 bytes'],
  ])('%s: %s, %#', async (file, what, spoil, reason) => {
    await spoil();
    await expect(start()).rejects.toMatchObject({
      name: 'TlsSetupError',
      file: at(file),
      message: `The TLS ${what} file ${at(file)} cannot be used: ${reason}.`,
    });
  });

  test('a key of another certificate, authorities that are none, a directory', async () => {
    await writeFile(at('server.key'), weak());
    await expect(start()).rejects.toMatchObject({
      file: at('server.key'),
      message: `The TLS key file ${at('server.key')} does not belong to the certificate in ${at('server.pem')}.`,
    });
    await install('server');
    await writeFile(at('ca.pem'), 'nothing');
    await expect(start()).rejects.toMatchObject({
      file: at('ca.pem'),
      message: `The TLS authorities file ${at('ca.pem')} holds no certificate.`,
    });
    await expect(start({ certificateFile: directory })).rejects.toMatchObject({
      file: directory,
      message: `The TLS certificate file ${directory} cannot be used: it is not a file.`,
    });
  });

  test.each(['request', 'require'] as const)('%s without authorities is a mistake', async (clientCertificates) => {
    await expect(start({ clientCertificates, authoritiesFile: undefined })).rejects.toMatchObject({
      name: 'TlsSetupError',
      file: null,
      message: 'Client certificates can only be asked for with a TLS authorities file.',
    });
  });

  test('a certificate out of its time is used, and complained of', async () => {
    const late = await start({}, new ManualClock(Date.UTC(2121, 0, 1)));
    expect(messages(late)).toEqual(['the TLS certificate has expired']);
    const early = await start({}, new ManualClock(Date.UTC(2019, 0, 1)));
    expect(messages(early)).toEqual(['the TLS certificate is not valid yet']);
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('client certificates with %s', (maxVersion) => {
  test('require: none and a foreign one are refused, the right one is known', async () => {
    const started = await start({ clientCertificates: 'require' });
    const { layer, received, port } = started;
    expect(await tryTls(port, { maxVersion })).toBe('closed');
    expect(await tryTls(port, { maxVersion, ...identity('foreign') })).toBe('closed');
    // A server's certificate may be a client's too if it is made for both uses.
    expect(await tryTls(port, { maxVersion, ...identity('server') })).toBe('open');
    const client = await peer(port, { maxVersion, ...identity('client') });
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(received[0]!.flow.peerCertificate).toEqual({
      commonName: 'src.example',
      altNames: ['DNS:sbc.src.example', 'URI:sip:src.example'],
      authorized: true,
      fingerprint256: new X509Certificate(pem('client.pem')).fingerprint256,
    });
    expect(layer.counters).toMatchObject({ connectionsAccepted: 4, handshakesFailed: 2 });
  });

  test.each([
    [['src.example'], 'open'],
    [['SBC.src.example'], 'open'],
    [['sip:src.example'], 'open'],
    [['other.example', 'sbc.src.example'], 'open'],
    [['other.example'], 'closed'],
    [['example'], 'closed'],
    [[], 'open'],
  ])('of those who may come the names are %j: %s', async (clientNames, expected) => {
    const { layer, log, port } = await start({ clientCertificates: 'require', clientNames });
    expect(await tryTls(port, { maxVersion, ...identity('client') })).toBe(expected);
    expect(layer.counters.handshakesFailed).toBe(expected === 'open' ? 0 : 1);
    const warnings = log.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ fields }) => fields.names)).toEqual(
      expected === 'open' ? [] : [['src.example', 'DNS:sbc.src.example', 'URI:sip:src.example']],
    );
  });

  test('request: everyone is let in, and the flow says who', async () => {
    const { received, port } = await start({ clientCertificates: 'request' });
    for (const options of [{}, identity('foreign'), identity('client')]) {
      const client = await peer(port, { maxVersion, ...options });
      const before = received.length;
      client.socket.write(requestBytes());
      await until(() => received.length === before + 1);
    }
    const told = received.map(
      ({ flow }) => flow.peerCertificate && [flow.peerCertificate.commonName, flow.peerCertificate.authorized],
    );
    expect(told).toEqual([null, ['src.example', false], ['src.example', true]]);
  });

  test('none: a client is not asked', async () => {
    const { received, port } = await start({ clientCertificates: 'none' });
    const client = await peer(port, { maxVersion, ...identity('client') });
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(received[0]!.flow.peerCertificate).toBeNull();
  });

  test('whoever is refused is named in the log, once a minute', async () => {
    const clock = new ManualClock();
    const started = await start({ clientCertificates: 'require' }, clock);
    const { port, log, layer } = started;
    expect(await tryTls(port, { maxVersion, ...identity('foreign') })).toBe('closed');
    expect(await tryTls(port, { maxVersion })).toBe('closed');
    await until(() => layer.counters.handshakesFailed === 2);
    clock.advance(60_000);
    expect(await tryTls(port, { maxVersion })).toBe('closed');
    await until(() => layer.counters.handshakesFailed === 3);
    const peerOfTest = { host: '127.0.0.1', port: expect.any(Number) };
    const warnings = log.filter(({ level }) => level === 'warn').map(({ message, fields }) => ({ message, ...fields }));
    expect(warnings).toEqual([
      {
        message: 'a TLS client and this server do not agree',
        peer: peerOfTest,
        reason: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      },
      {
        message: 'a TLS client and this server do not agree',
        peer: peerOfTest,
        reason: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
      },
    ]);
  });
});
