// Whatever peers and apps send: the server goes on, and no part of it throws.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { AdminClient } from './support/admin-client.ts';
import { until } from './support/layers.ts';
import { UdpPeer } from './support/peer.ts';
import { FAST, OFFER, SECRET, startServer } from './support/stack.ts';

let started: Awaited<ReturnType<typeof startServer>>;
let peer: UdpPeer;
let errors: object[];

beforeEach(async () => {
  errors = [];
  const log: Log = { ...silentLog, error: (fields) => errors.push(fields), child: () => log };
  started = await startServer({ timers: FAST, log });
  peer = await UdpPeer.open(started.udpPort);
});

afterEach(async () => {
  await peer.close();
  await started.server.close();
  expect(errors).toEqual([]);
});

const LINES = [
  'SIP/2.0 200 OK',
  'SIP/2.0 183 Session Progress',
  'SIP/2.0 999 x',
  'INVITE sip:a@127.0.0.1:1 SIP/2.0',
  'INVITE sip:[::1 SIP/2.0',
  'ACK sip:placeholder SIP/2.0',
  'BYE sip:placeholder SIP/2.0',
  'CANCEL sip:a SIP/2.0',
  'Require: 100rel',
  'Contact: ;',
  'Contact: "<sip:a@localhost',
  'From: <sip:a@localhost',
  'To: ;tag=',
  'CSeq: -1 UPDATE',
  'cseq: 99999999999999 INVITE',
  'Call-ID: ',
  'Max-Forwards: x',
  'Route: nonsense',
  'Content-Length: 99',
  '',
  'v=0',
  '\u0000',
];

test('frames of an app that is in the middle of a call', { timeout: 10_000 }, async () => {
  let app = await AdminClient.app(started.adminPort, 'invite');
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 1, body: OFFER, extra: 'Supported: 100rel\r\n' }));
  const invite = await app.sip('INVITE');
  await app.answer(invite, 'SIP/2.0 180 Ringing\r\n\r\n');
  const heads = [
    `sip|${invite.tokens[8]}|`,
    'sip||call-1;from-tag=alice-tag',
    'sip||',
    `sip|||sip:127.0.0.1:${peer.port}`,
    'sip|x|y|z',
    'route|a',
    'proxy|x',
    'ping',
  ];
  const payload = fc
    .tuple(fc.constantFrom(...heads), fc.array(fc.constantFrom(...LINES), { maxLength: 8 }))
    .map(([head, lines]) => `m1|${head}\r\n${lines.join('\r\n')}`);
  for (const each of fc.sample(payload, 400)) {
    if (app.closed) app = await AdminClient.app(started.adminPort, 'invite');
    app.send(each);
  }
  app.close();
  await until(() => started.server.statistics().apps === 0);
  const again = await AdminClient.open(started.adminPort);
  expect((await again.command(`authenticate|${SECRET}`)).tokens[3]).toBe('OK');
  again.close();
});

test('mutated requests of a peer, inside and outside a dialog', { timeout: 10_000 }, async () => {
  const app = await AdminClient.app(started.adminPort, 'invite', 'info', 'options', 'subscribe');
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 1, body: OFFER }));
  await app.answer(await app.sip('INVITE'), 'SIP/2.0 200 OK\r\n\r\n');
  const { toTag } = await peer.next(200);
  const methods = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'INFO', 'SUBSCRIBE', 'NOTIFY', 'OPTIONS'];
  const seeds = methods.flatMap((method, i) => [
    peer.request({ method, callId: 'call-1', cseq: i + 2, toTag, branch: `z9hG4bK-${i}` }),
    peer.request({
      method,
      callId: `call-${i + 2}`,
      cseq: 1,
      branch: `z9hG4bK-new-${i}`,
      extra: 'Record-Route: <sip:x;lr>\r\n',
    }),
  ]);
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom('<', '>', '"', ';', ':', '\r\n', ' ', '=', '0', '')), {
        maxLength: 3,
      }),
    )
    .map(([seed, changes]) =>
      changes.reduce((text, [at, piece]) => {
        const index = at % text.length;
        return text.slice(0, index) + piece + text.slice(index + 1);
      }, seed),
    );
  for (const each of fc.sample(mutated, 600)) peer.send(each);
  await until(() => started.server.statistics().malformed > 0);
  app.close();
  await until(() => started.server.statistics().apps === 0);
  const alive = await AdminClient.app(started.adminPort, 'options');
  peer.send(peer.request({ method: 'OPTIONS', callId: 'last', cseq: 1 }));
  const options = await alive.next((frame) => frame.text.includes('Call-ID: last\r\n'));
  expect((await alive.answer(options, 'SIP/2.0 200 OK\r\n\r\n')).tokens[3]).toBe('OK');
  alive.close();
});
