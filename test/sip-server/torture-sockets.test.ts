// RFC 4475: every message as octets on a socket, to the embedded server with the recording door behind it. The outcome of
// each stands in the table, with the reason where it is not what the RFC proposes.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectDrachtio, type DrachtioConnection } from '../../src/drachtio/connection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { createSiprecDoor, type SiprecDoor } from '../../src/siprec/door.ts';
import { FakeRecorder } from '../siprec/fake-recorder.ts';
import { until } from './support/layers.ts';
import { sip } from './support/messages.ts';
import { UdpPeer } from './support/peer.ts';
import { SECRET, startServer, untilIdle } from './support/stack.ts';
import { TORTURE, torture } from './support/torture-messages.ts';

type Outcome = number | 'nothing';
type Name = keyof typeof TORTURE;

const OUTCOMES: Record<Name, { udp: Outcome; tcp?: Outcome; why: string }> = {
  wsinv: { udp: 481, why: 'its To tag names a dialog that we do not have' },
  intmeth: { udp: 'nothing', why: 'a NUL in a head, even quoted, is dropped; without it the answer is 501' },
  esc01: { udp: 488, why: 'escapes are kept, an ordinary call' },
  escnull: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  esc02: { udp: 501, why: 'a method that does not exist' },
  lwsdisp: { udp: 200, why: 'no blank is needed in front of <' },
  longreq: { udp: 488, why: 'long values are values, an ordinary call' },
  dblreq: {
    udp: 405,
    why: 'the first request counts; over UDP the octets behind it are no second message, over TCP they are',
  },
  semiuri: { udp: 200, why: 'a user part may hold ; and =' },
  transports: { udp: 200, why: 'only the topmost Via matters' },
  mpart01: { udp: 405, why: 'MESSAGE outside a session; the binary body is carried along' },
  unreason: { udp: 'nothing', why: 'a response that nobody waits for' },
  noreason: { udp: 'nothing', why: 'a provisional response that nobody waits for' },
  badinv01: { udp: 488, why: 'lenient: empty parameters are passed over, an ordinary call; the RFC would have 400' },
  clerr: {
    udp: 400,
    tcp: 'nothing',
    why: 'over UDP the body is short; over TCP the rest is waited for, half a minute',
  },
  ncl: { udp: 400, why: 'a negative length' },
  scalar02: { udp: 400, why: 'a CSeq beyond 2**32' },
  scalarlg: { udp: 'nothing', why: 'a response that cannot be read is dropped' },
  quotbal: { udp: 488, why: 'lenient: the unbalanced quote is a character, an ordinary call; the RFC would have 400' },
  ltgtruri: { udp: 488, why: 'lenient: the brackets around the Request-URI are taken off, an ordinary call' },
  lwsruri: { udp: 400, why: 'a blank in the Request-URI' },
  lwsstart: { udp: 488, why: 'lenient: several blanks are as good as one, an ordinary call' },
  trws: { udp: 200, why: 'lenient: blanks behind the version are taken off' },
  escruri: { udp: 488, why: 'headers in the Request-URI are ignored, an ordinary call; the RFC allows 400 as well' },
  baddate: { udp: 488, why: 'Date is not looked at, an ordinary call' },
  regbadct: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  badaspec: { udp: 200, why: 'lenient: blanks inside the brackets are taken off; the RFC would have 400' },
  baddn: { udp: 200, why: 'lenient: the comma is part of the name; the RFC would have 400' },
  badvers: { udp: 505, why: 'SIP/7.0' },
  mismatch01: { udp: 400, why: 'the method of CSeq is another' },
  mismatch02: { udp: 400, why: 'the method of CSeq is another' },
  bigcode: { udp: 'nothing', why: 'a response with a code that does not exist is dropped' },
  badbranch: { udp: 200, why: 'a bare magic cookie is matched as in RFC 2543' },
  insuf: { udp: 'nothing', why: 'without From, To and Call-ID there is nothing to answer with' },
  unkscm: { udp: 200, why: 'the Request-URI is nobody we have to find; the RFC proposes 416' },
  novelsc: { udp: 200, why: 'the Request-URI is nobody we have to find; the RFC proposes 416' },
  unksm2: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  bext01: {
    udp: 200,
    why: 'unknown option tags are ignored: refusing them would cost recordings; the RFC would have 420',
  },
  invut: { udp: 488, why: 'no SDP in a body that we do not know; the RFC would have 415' },
  regaut01: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  multi01: {
    udp: 400,
    tcp: 'nothing',
    why: 'over UDP: headers that may stand once stand twice; over TCP two octets of the announced body are missing and waited for',
  },
  mcl01: { udp: 400, why: 'two lengths' },
  bcast: { udp: 'nothing', why: 'a response that nobody waits for; it is not sent on to its second Via' },
  zeromf: { udp: 200, why: 'the last hop may be zero' },
  cparam01: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  cparam02: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  regescrt: { udp: 405, why: 'we are no registrar, whatever Contact says' },
  sdp01: { udp: 488, why: 'Accept is not looked at, an ordinary call; the RFC would have 406' },
  inv2543: { udp: 488, why: 'RFC 2543: no branch, no tag, no Max-Forwards; an ordinary call' },
};

/** Where answers over UDP without rport go: to the source's address and the port of the Via, mostly 5060. */
const HOST = '127.0.44.75';
const PORTS = [5060, 5050];

let started: Awaited<ReturnType<typeof startServer>>;
let connection: DrachtioConnection;
let door: SiprecDoor;
let fence: UdpPeer;
let fences = 0;
const udp: UdpSocket[] = [];
const heard: string[] = [];
const errors: object[] = [];

// Some messages share a branch: each one comes when the transaction of the one before is over.
beforeEach(() => until(() => started.server.statistics().serverTransactions === 0));

beforeAll(async () => {
  const log: Log = { ...silentLog, error: (fields) => errors.push(fields), child: () => log };
  started = await startServer({ timers: { t1Ms: 1, t2Ms: 4, t4Ms: 5 }, log });
  connection = await connectDrachtio({
    host: '127.0.0.1',
    port: started.adminPort,
    secret: SECRET,
    log,
    patienceMs: 0,
  });
  door = createSiprecDoor({
    srf: connection.srf,
    recorder: new FakeRecorder(),
    clock: systemClock,
    log,
    answerDelayMs: 0,
    mediaAddress: '127.0.0.1',
  });
  door.start();
  fence = await UdpPeer.open(started.udpPort);
  if (process.platform !== 'linux') return;
  for (const port of PORTS) {
    const socket = createSocket('udp4');
    socket.on('message', (bytes) => heard.push(bytes.toString()));
    socket.bind(port, HOST);
    await once(socket, 'listening');
    udp.push(socket);
  }
});

afterAll(async () => {
  for (const socket of udp) socket.close();
  await door.close();
  await connection.close();
  await fence.close();
  await untilIdle(started.server);
  await started.server.close();
  expect(errors).toEqual([]);
});

/** Everything that came before has been worked on when this is answered. */
async function passFence(): Promise<void> {
  const callId = `fence-${++fences}`;
  fence.send(fence.request({ method: 'OPTIONS', callId, cseq: 1 }));
  await fence.next((message) => message.callId === callId);
}

/** The final answer, or that there is none. */
async function outcome(name: Name, expected: Outcome, heard: () => string): Promise<Outcome> {
  const callId = /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(TORTURE[name])?.[1] ?? 'kdj.insuf';
  // Refusals of earlier INVITEs are repeated, since nobody acknowledges them.
  const finals = () =>
    heard()
      .split(/^(?=SIP\/2\.0 )/m)
      .filter((text) => text.includes(callId))
      .flatMap((text) => [...text.matchAll(/^SIP\/2\.0 ([2-6]\d\d)/g)].map((match) => Number(match[1])));
  if (expected !== 'nothing') await until(() => finals().length > 0).catch(() => {});
  for (let i = 0; i < 2; i++) await passFence();
  return finals()[0] ?? 'nothing';
}

const names = Object.keys(TORTURE) as Name[];

test('the table has every message', () => {
  expect(names.length).toBe(49);
  expect(Object.keys(OUTCOMES).sort()).toEqual([...names].sort());
});

// Other systems do not have all of 127.0.0.0/8; TCP shows them the same.
test.skipIf(process.platform !== 'linux').each(names)('%s over UDP', async (name) => {
  heard.length = 0;
  udp[0]!.send(torture(name), started.udpPort, '127.0.0.1');
  const { udp: expected } = OUTCOMES[name];
  expect(await outcome(name, expected, () => heard.join(''))).toBe(expected);
});

async function outcomeOverTcp(name: Name, bytes: Buffer, expected: Outcome): Promise<Outcome> {
  const socket = connect(started.tcpPort, '127.0.0.1');
  const chunks: string[] = [];
  socket.on('data', (chunk) => chunks.push(chunk.toString()));
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(bytes);
  const final = await outcome(name, expected, () => chunks.join(''));
  socket.destroy();
  return final;
}

test.each(names)('%s over TCP', async (name) => {
  const { udp: same, tcp: expected = same } = OUTCOMES[name];
  expect(await outcomeOverTcp(name, torture(name), expected)).toBe(expected);
});

test('intmeth without its NUL: a method that does not exist', async () => {
  expect(await outcomeOverTcp('intmeth', sip(TORTURE.intmeth.replace('\0', '')), 501)).toBe(501);
});
