// What strangers send to the media ports of a running call: nothing of it may be heard, counted as media, or cost a packet.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tone } from '../../src/client/audio.ts';
import { CLIENT_CODECS, packetSamples } from '../../src/client/codec.ts';
import { encodedLoop } from '../../src/client/encoded-loop.ts';
import { seededRandom } from '../../src/client/random.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { type RecorderHere, recordHere } from './recorder-here.ts';

const INJECTED_HZ = 1500;

/** In how many tenths of a second from there on a party's own tone of -12 dBFS is heard, and of how many. */
function tenthsHeard(channel: Int16Array, sampleRateHz: number, hz: number, fromMs = 0): { heard: number; of: number } {
  const toMs = (channel.length * 1000) / sampleRateHz;
  let [heard, of] = [0, 0];
  for (let atMs = fromMs; atMs + 100 <= toMs; atMs += 100, of++) {
    if (toneLevel(channel, sampleRateHz, hz, atMs, atMs + 100) > -14) heard++;
  }
  return { heard, of };
}

async function stranger(host: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  socket.bind(0, host);
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return socket;
}

/** RTP with a tone that is in no party's audio. */
function tonePackets(ssrc: number, count: number): Buffer[] {
  const loop = encodedLoop(tone(INJECTED_HZ, -3), CLIENT_CODECS.pcmu);
  const samples = packetSamples(CLIENT_CODECS.pcmu);
  return Array.from({ length: count }, (_, index) => {
    const header = Buffer.alloc(12);
    header.writeUInt8(0x80, 0);
    header.writeUInt16BE((40_000 + index) & 0xffff, 2);
    header.writeUInt32BE(index * samples, 4);
    header.writeUInt32BE(ssrc, 8);
    const start = (index % loop.packetCount) * loop.packetOctets;
    return Buffer.concat([header, loop.octets.subarray(start, start + loop.packetOctets)]);
  });
}

/** A compound of sender report and BYE for that SSRC (RFC 3550 §6.4.1, §6.6), with a time long ago. */
function forgedReport(ssrc: number): Buffer {
  const report = Buffer.alloc(28 + 8);
  report.writeUInt8(0x80, 0);
  report.writeUInt8(200, 1);
  report.writeUInt16BE(6, 2);
  report.writeUInt32BE(ssrc, 4);
  report.writeUInt32BE(1, 8);
  report.writeUInt8(0x81, 28);
  report.writeUInt8(203, 29);
  report.writeUInt16BE(1, 30);
  report.writeUInt32BE(ssrc, 32);
  return report;
}

test('a third host, other ports of the same host, forged RTCP, reflections and a port scan change nothing; a re-INVITE does', {
  timeout: 30_000,
}, async () => {
  const data = await temporaryDirectory();
  const recorder = recordHere(data);
  const client = await testClient();
  const session = await client.connect(toneCall(await recorder.sipPort('udp')));
  await sleep(500);
  const targets = session.answer.map(({ destination }) => destination!);
  const ssrcs = session.streams.map(({ ssrc }) => ssrc);
  const thirdHost = await stranger(process.platform === 'linux' ? '127.0.66.6' : '127.0.0.1');
  const sameHost = await stranger('127.0.0.1');
  const random = seededRandom(1);

  const foreign = tonePackets(0xbadcafe, 100);
  // The held senders' own SSRCs: of the stream itself, and of its neighbour, as a reflector would send them back.
  const claimed = ssrcs.map((ssrc) => tonePackets(ssrc, 100));
  for (let index = 0; index < 100; index++) {
    for (const [stream, { rtpPort, rtcpPort }] of targets.entries()) {
      thirdHost.send(foreign[index]!, rtpPort, '127.0.0.1');
      thirdHost.send(claimed[stream]![index]!, rtpPort, '127.0.0.1');
      sameHost.send(claimed[1 - stream]![index]!, rtpPort, '127.0.0.1');
      thirdHost.send(forgedReport(ssrcs[stream]!), rtcpPort, '127.0.0.1');
    }
    // Every port of the range, in random order, with what scanners send: nothing, a byte, a STUN request, text.
    for (let scan = 0; scan < 20; scan++) {
      const port = targets[0]!.rtpPort - 50 + (random.bits(8) % 100);
      const probe = [Buffer.alloc(0), Buffer.from([0]), Buffer.from('000100002112a442', 'hex'), Buffer.from('OPTIONS')];
      thirdHost.send(probe[scan % probe.length]!, port, '127.0.0.1');
    }
    await sleep(10);
  }
  await sleep(300);
  await session.bye();

  const [recording] = await filedRecordings(data, 1);
  const { document, directory } = recording!;
  expect(document).toMatchObject({ state: 'finished', endReason: 'ended' });
  for (const [index, sent] of session.streams.entries()) {
    const stream = document.streams.find(({ label }) => label === sent.label)!;
    expect(stream.packets, `packets of stream ${index}`).toBe(sent.packetsSent);
    expect([stream.lost, stream.duplicate]).toEqual([0, 0]);
    expect(stream.ssrcs).toEqual([sent.ssrc]);
  }
  expect(document.timeline.filter(({ type }) => type === 'source-change' || type === 'gap')).toEqual([]);
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  for (const [index, own] of [440, 880].entries()) {
    const level = (hz: number) => toneLevel(channels[index]!, sampleRateHz, hz, 100, 1_500);
    const { heard, of } = tenthsHeard(channels[index]!, sampleRateHz, own);
    expect(heard).toBeGreaterThan(of * 0.8);
    expect(level(INJECTED_HZ), `the stranger's tone in channel ${index}`).toBeLessThan(-50);
    expect(level(own === 440 ? 880 : 440)).toBeLessThan(-50);
  }

  await followPortChange(recorder, data);
});

/** The client holds, and resumes from a new port; a stranger tries to be taken for it. */
async function followPortChange(recorder: RecorderHere, data: string): Promise<void> {
  const client = await testClient();
  const session = await client.connect(toneCall(await recorder.sipPort('udp')));
  await sleep(600);
  const ports = session.answer.map(({ destination }) => destination!.rtpPort);
  await session.hold('1');
  const thirdHost = await stranger(process.platform === 'linux' ? '127.0.66.6' : '127.0.0.1');
  for (const packet of tonePackets(0xbadcafe, 20)) {
    // To the one who holds and to the one who talks on.
    for (const port of ports) thirdHost.send(packet, port, '127.0.0.1');
    await sleep(10);
  }
  await session.resume('1');
  await sleep(1_000);
  await session.bye();

  const [recording] = await filedRecordings(data, 2);
  const { document, directory } = recording!;
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  const resumed = document.timeline.find(({ type }) => type === 'resume')!.offsetMs;
  // Both talk on for a second; how soon, a busy machine decides.
  expect(tenthsHeard(channels[1]!, sampleRateHz, 880, resumed).heard).toBeGreaterThan(4);
  const { heard, of } = tenthsHeard(channels[0]!, sampleRateHz, 440);
  expect(heard).toBeGreaterThan(of * 0.8);
  for (const channel of channels) expect(toneLevel(channel, sampleRateHz, INJECTED_HZ, 100, 1_600)).toBeLessThan(-50);
}
