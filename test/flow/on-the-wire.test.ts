// SIP as it really arrives: octets that a strict reader would stumble over, sent to a recorder that runs as its users run it.
// Each call is judged by its recording: both parties heard, each in the channel that the metadata gives it.
import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListedRecording, listRecordings } from '../../src/archive/list.ts';
import { encodeUlaw } from '../../src/render/codecs/g711.ts';
import { RTP_HEADER_OCTETS, writeRtpHeader } from '../../src/rtp/packet.ts';
import { CONTENT_TYPE, METADATA, multipart, SDP } from '../siprec/bodies.ts';
import { openTcpPeer, openUdpPeer, type RawPeer } from '../siprec/raw-peer.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { ServeProcess } from './serve-process.ts';

const TONES = [440, 700] as const;
const TALK_MS = 400;
const SAMPLES = 160;
const CALL_BODY = multipart(
  SDP.replace('RTP/AVP 8\r\na=rtpmap:8 PCMA', 'RTP/AVP 0\r\na=rtpmap:0 PCMU'),
  METADATA.replaceAll('s1', 'CS').replace('call-1', 'CALL'),
);

let data: string;
let server: ServeProcess;
let targets: Map<string, { host: string; port: number }>;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sipreel-test-'));
  const config = join(data, 'config.yaml');
  await writeFile(config, 'rtp: {ports: 10200-10399}\nhttp: {listen: []}\n');
  const listeners = ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'udp:[::1]:0', 'tcp:[::1]:0'];
  server = new ServeProcess(['--data', data, '--config', config, ...listeners.flatMap((each) => ['--sip', each])]);
  const { sip } = (await server.line('ready')) as unknown as { sip: string[] };
  targets = new Map(
    sip.map((address) => {
      const [, transport = '', host = '', port] = /^(\w+):\[?([^\]]*?)\]?:(\d+)$/.exec(address) ?? [];
      return [`${transport} ${host}`, { host, port: Number(port) }];
    }),
  );
});

afterAll(async () => {
  server.kill('SIGKILL');
  await server.exited;
  await rm(data, { recursive: true });
});

interface Wire {
  transport?: 'udp' | 'tcp';
  host?: '127.0.0.1' | '::1';
  /** What the client really sends in place of a well-behaved message. */
  invite?: (text: string) => string;
  other?: (text: string) => string;
  /** How the octets leave; at once by default. */
  send?: (peer: RawPeer, text: string) => Promise<void> | void;
  body?: string;
}

let calls = 0;

/** A call of 400 ms over that wire; what came back, and its recording. */
async function call({
  transport = 'udp',
  host = '127.0.0.1',
  invite = same,
  other = same,
  send = atOnce,
  body = CALL_BODY,
}: Wire) {
  const target = targets.get(`${transport} ${host}`)!;
  const peer = await (transport === 'udp' ? openUdpPeer(target) : openTcpPeer(target));
  const callId = `wire-call-${++calls}`;
  const own = body.replaceAll('"CS"', `"wire-session-${calls}"`).replace('CALL', callId);
  const at = host === '::1' ? `[::1]:${peer.port}` : `127.0.0.1:${peer.port}`;
  const message = (method: string, cseq: number, to: string, text = '') =>
    [
      `${method} sip:recorder@${host === '::1' ? '[::1]' : host}:${target.port} SIP/2.0`,
      `Via: SIP/2.0/${transport.toUpperCase()} ${at};branch=z9hG4bK${callId}${cseq}${method === 'ACK' ? 'ack' : ''}`,
      'Max-Forwards: 70',
      `From: <sip:src@${at}>;tag=src`,
      `To: ${to}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:src@${at};transport=${transport}>;+sip.src`,
      ...(text === '' ? [] : ['Require: siprec', `Content-Type: ${CONTENT_TYPE}`]),
      `Content-Length: ${Buffer.byteLength(text)}`,
      '',
      text,
    ].join('\r\n');
  await send(peer, invite(message('INVITE', 1, '<sip:recorder@srs.example>', own)));
  const answer = await peer.take(/^SIP\/2\.0 [2-6]/, { callId, cseq: '1 INVITE' });
  expect(answer).toMatch(/^SIP\/2\.0 200 /);
  const to = /^To: (.*)$/m.exec(answer)![1]!;
  await send(peer, other(message('ACK', 1, to)));
  await talk(answer, host);
  await send(peer, other(message('BYE', 2, to)));
  expect(await peer.take(/^SIP\/2\.0 [2-6]/, { callId, cseq: '2 BYE' })).toMatch(/^SIP\/2\.0 200 /);
  peer.close();
  return { answer, recording: await filed(callId) };
}

const same = (text: string) => text;
const atOnce = (peer: RawPeer, text: string) => peer.send(text);
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A tone into each port of the answer. */
async function talk(answer: string, host: string): Promise<void> {
  const ports = [...answer.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
  const socket: Socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const startMs = performance.now();
  for (let packet = 0; packet * 20 < TALK_MS; packet++) {
    ports.forEach((port, index) => {
      const octets = new Uint8Array(RTP_HEADER_OCTETS + SAMPLES);
      writeRtpHeader(octets, 0, {
        payloadType: 0,
        sequenceNumber: packet,
        rtpTime: packet * SAMPLES,
        ssrc: 0xca110000,
        marker: false,
      });
      const step = (2 * Math.PI * TONES[index]!) / 8000;
      const pcm = Int16Array.from({ length: SAMPLES }, (_, i) => 10_000 * Math.sin(step * (packet * SAMPLES + i)));
      octets.set(encodeUlaw(pcm), RTP_HEADER_OCTETS);
      socket.send(octets, port, host);
    });
    await sleep(Math.max(0, startMs + (packet + 1) * 20 - performance.now()));
  }
  socket.close();
}

async function filed(callId: string): Promise<ListedRecording> {
  for (let i = 0; i < 150; i++) {
    for await (const recording of listRecordings(data))
      if (recording.document.call.sipCallId === callId) return recording;
    await sleep(100);
  }
  throw new Error(`no recording of ${callId} was filed`);
}

async function expectWhole(wire: Wire) {
  const { answer, recording } = await call(wire);
  const { document, directory } = recording;
  expect([document.state, document.endReason]).toEqual(['finished', 'ended']);
  expect(document.participants.map(({ name, channel }) => [name, channel])).toEqual([
    ['Alice', 0],
    ['Bob', 1],
  ]);
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  for (const [channel, hz] of TONES.entries()) {
    const level = (tone: number) => toneLevel(channels[channel]!, sampleRateHz, tone, 100, TALK_MS - 60);
    expect(level(hz)).toBeGreaterThan(-15);
    expect(level(TONES[1 - channel]!)).toBeLessThan(-40);
  }
  return { answer, document };
}

const COMPACT: [RegExp, string][] = [
  [/^Via:/m, 'v:'],
  [/^From:/m, 'f:'],
  [/^To:/m, 't:'],
  [/^Call-ID:/m, 'i:'],
  [/^Contact:/m, 'm:'],
  [/^Content-Type:/m, 'c:'],
  [/^Content-Length:/m, 'l:'],
];
/** Only the head: bodies have such lines too. */
const head = (change: (text: string) => string) => (text: string) => {
  const end = text.indexOf('\r\n\r\n');
  return change(text.slice(0, end)) + text.slice(end);
};
const OPTIONS = [
  'OPTIONS sip:recorder@127.0.0.1 SIP/2.0',
  'v: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKping',
  'f: <sip:src@127.0.0.1>;tag=p',
  't: <sip:recorder@127.0.0.1>',
  'i: ping',
  'CSeq: 1 OPTIONS',
  '',
  '',
].join('\r\n');
const folded = head((text) => text.replace(/^(From|To|Contact|CSeq|Require|Content-Type): /gm, '$1:\r\n\t '));
const extension = (octets: number) =>
  METADATA.replaceAll('s1', 'CS')
    .replace('call-1', 'CALL')
    .replace('</recording>', `<x xmlns="urn:x">${'y'.repeat(octets)}</x></recording>`);
const large = (octets: number) =>
  multipart(CALL_BODY.slice(CALL_BODY.indexOf('v=0'), CALL_BODY.indexOf('\r\n--', 10)), extension(octets));

describe.concurrent('a call', () => {
  test.each<[string, Wire]>([
    ['as it should be', {}],
    ['over IPv6, UDP', { host: '::1', body: CALL_BODY.replaceAll('IP4 192.0.2.1', 'IP6 2001:db8::1') }],
    [
      'over IPv6, TCP',
      { host: '::1', transport: 'tcp', body: CALL_BODY.replaceAll('IP4 192.0.2.1', 'IP6 2001:db8::1') },
    ],
    [
      'compact header names',
      {
        invite: head((text) => COMPACT.reduce((all, [name, short]) => all.replace(name, short), text)),
        other: head((text) => COMPACT.reduce((all, [name, short]) => all.replace(name, short), text)),
      },
    ],
    [
      'header names in capitals, and without a space after the colon',
      { invite: head((text) => text.replace(/^([\w-]+): /gm, (_, name: string) => `${name.toUpperCase()}:`)) },
    ],
    ['header fields folded over lines', { invite: folded, other: folded }],
    [
      'two Via in one line, and a third',
      {
        invite: head((text) =>
          text.replace(
            /^Via: (.*)$/m,
            'Via: $1,SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKb\r\nVia: SIP/2.0/UDP sbc.invalid:5080;branch=z9hG4bKc;received=192.0.2.8',
          ),
        ),
      },
    ],
    [
      'Record-Route of a loose and of a strict router',
      {
        invite: head((text) =>
          text.replace(/^Max-Forwards/m, 'Record-Route: <sip:192.0.2.7;lr>, <sip:192.0.2.8>\r\nMax-Forwards'),
        ),
      },
    ],
    [
      'a Route to us',
      { invite: head((text) => text.replace(/^Max-Forwards/m, 'Route: <sip:127.0.0.1;lr>\r\nMax-Forwards')) },
    ],
    ['line ends without CR in the head', { invite: head((text) => text.replaceAll('\r\n', '\n')) }],
    [
      'spaces before colons and at the ends of lines',
      { invite: head((text) => text.replace(/^(Call-ID|CSeq|Require): (.*)$/gm, '$1 \t:  $2 ')) },
    ],
    [
      'no Max-Forwards, no Require, no Contact parameters',
      { invite: head((text) => text.replace(/^(Max-Forwards|Require):.*\r\n/gm, '').replace('>;+sip.src', '>')) },
    ],
    [
      'display names that hold everything',
      { invite: head((text) => text.replace('From: <', 'From: "a \\"b\\" <sip:c@d>;tag=x, \u00fc" <')) },
    ],
    ['20 KiB over UDP, in fragments on a real network', { body: large(20_000) }],
    ['100 KiB over TCP', { transport: 'tcp', body: large(100_000) }],
    ['octet by octet over TCP', { transport: 'tcp', send: inPieces(7) }],
    [
      'keep-alives before, between and inside the pauses of messages',
      { transport: 'tcp', send: (peer, text) => peer.send(`\r\n\r\n\r\n${text}\r\n\r\n`) },
    ],
    [
      'keep-alives over UDP',
      {
        send: (peer, text) => {
          peer.send('\r\n\r\n');
          peer.send('\0');
          peer.send(text);
        },
      },
    ],
    [
      'two messages in one segment',
      { transport: 'tcp', send: (peer, text) => peer.send(text.startsWith('INVITE') ? `${OPTIONS}${text}` : text) },
    ],
    [
      'the INVITE twice, because its answer was slow',
      {
        send: (peer, text) => {
          peer.send(text);
          if (text.startsWith('INVITE')) peer.send(text);
        },
      },
    ],
  ])('%s', async (_name, wire) => {
    await expectWhole(wire);
  });
});

function inPieces(octets: number) {
  return async (peer: RawPeer, text: string) => {
    for (let at = 0; at < text.length; at += octets) {
      peer.send(text.slice(at, at + octets));
      if (at % 350 === 0) await sleep(1);
    }
  };
}
