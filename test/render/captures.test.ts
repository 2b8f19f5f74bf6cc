// Renders of what OpenSIPS with rtpproxy and FreeSWITCH's mod_oreka really sent, packet by packet as captured.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import { decodeUlaw } from '../../src/render/codecs/g711.ts';
import { renderJob } from '../../src/render/job.ts';
import { RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import { readWav, silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import { type CapturedDatagram, readPcap } from '../support/pcap.ts';
import { likeness } from '../support/same-audio.ts';
import { EVENTS, jobIn, PCMU } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { eventsOf } from './rendered.ts';

/** What came to each of the recorder's ports: one stream per port. */
function streamsOf(fixture: string, ports: number[]): CapturedDatagram[][] {
  const path = fileURLToPath(new URL(`../fixtures/${fixture}.pcap`, import.meta.url));
  const datagrams = readPcap(readFileSync(path));
  return ports.map((port) => datagrams.filter(({ destination }) => destination.port === port));
}

async function renderCapture(
  streams: CapturedDatagram[][],
  placement: 'rtp-time' | 'arrival' = 'rtp-time',
  pauses: { streamId: string; startMs: number; endMs: number }[] = [],
) {
  const writer = new JournalWriter();
  writer.beginSection();
  const ids = streams.map((_, i) => writer.addInterface(`s${i}`, ''));
  const packets = streams.flatMap((stream, i) => stream.map((datagram) => ({ ...datagram, id: ids[i]! })));
  for (const { id, timeMs, source, destination, payload } of packets.sort((a, b) => a.timeMs - b.timeMs)) {
    writer.writeDatagram(id, timeMs, datagramFlow(source, destination), payload, 0, payload.length);
  }
  const directory = await temporaryDirectory();
  const plans = streams.map((_, i) => ({ streamId: `s${i}`, formats: [PCMU, EVENTS], placement }));
  const job = jobIn(directory, plans, { pauses });
  const { buffer, octets } = writer.take(Buffer.alloc(0));
  writeFileSync(job.journalPath, buffer.subarray(0, octets));
  const result = renderJob(job);
  const [left, right] = readWav(job.audioPath).channels;
  return { result, left: left!, right: right! };
}

/** The worst likeness of half seconds of the sent payloads to the channel, and how far from their arrival they were found. */
function compare(channel: Int16Array, stream: CapturedDatagram[], startMs: number) {
  const header = new RtpHeader();
  const audio = stream.filter(({ payload }) => {
    return readRtpHeader(payload, 0, payload.length, header) === null && header.payloadType === 0;
  });
  let worst = 1;
  let furthestMs = 0;
  for (let first = 0; first + 25 <= audio.length; first += 25) {
    const packets = audio.slice(first, first + 25);
    if (packets.at(-1)!.timeMs - packets[0]!.timeMs > 560) continue;
    const sent = Int16Array.from(
      packets.flatMap(({ payload }) => [...payload.subarray(12)]),
      decodeUlaw,
    );
    const at = Math.round((packets[0]!.timeMs - startMs) * 8);
    const { correlation, shift } = likeness(channel, at, sent, 0, sent.length, 160);
    worst = Math.min(worst, correlation);
    furthestMs = Math.max(furthestMs, Math.abs(shift) / 8);
  }
  return { worst, furthestMs };
}

describe('OpenSIPS with rtpproxy', () => {
  test('a plain call: every packet of both parties where it arrived', async () => {
    const streams = streamsOf('opensips/udp-basic/udp-basic', [42_502, 42_858]);
    const { result, left, right } = await renderCapture(streams);
    const { startMs, durationMs } = result.audio!;
    for (const [channel, stream] of [[left, streams[0]!] as const, [right, streams[1]!] as const]) {
      const { worst, furthestMs } = compare(channel, stream, startMs);
      expect(worst).toBeGreaterThan(0.999);
      expect(furthestMs).toBeLessThan(12);
    }
    expect(Math.abs(durationMs - 4000)).toBeLessThan(30);
    expect(result.events).toEqual([]);
    expect(result.streams.map(({ packets, lost, late }) => [packets, lost, late])).toEqual([
      [200, 0, 0],
      [195, 0, 0],
    ]);
  });

  test('hold: the callee goes silent, comes back from another port after a jump', async () => {
    const streams = streamsOf('opensips/hold-sendonly/hold-sendonly', [42_554, 42_778]);
    const [last, next] = [streams[1]![149]!, streams[1]![150]!];
    const pauses = [{ streamId: 's1', startMs: last.timeMs + 3, endMs: next.timeMs - 1 }];
    const { result, left, right } = await renderCapture(streams, 'rtp-time', pauses);
    const { startMs } = result.audio!;
    for (const [channel, stream] of [[left, streams[0]!] as const, [right, streams[1]!] as const]) {
      const { worst, furthestMs } = compare(channel, stream, startMs);
      expect(worst).toBeGreaterThan(0.999);
      expect(furthestMs).toBeLessThan(12);
    }
    expect(silentBetween(right, 8000, 3050, 5950, 0)).toBe(true);
    const [gap] = eventsOf(result, 'gap');
    expect(gap).toMatchObject({ streamId: 's1', cause: 'interruption' });
    expect(Math.abs(gap!.offsetMs - 3000)).toBeLessThan(20);
    expect(Math.abs(gap!.durationMs - 3000)).toBeLessThan(20);
    expect(eventsOf(result, 'source-change').map(({ streamId, detail }) => [streamId, detail])).toEqual([
      ['s1', 'address 127.0.0.1:36218 to 127.0.0.1:37430'],
    ]);
    expect(result.streams[1]).toMatchObject({ lost: 0, sources: ['127.0.0.1:36218', '127.0.0.1:37430'] });
  });

  test('DTMF: five keys, one event each', async () => {
    const streams = streamsOf('opensips/dtmf-rfc4733/dtmf-rfc4733', [42_102, 43_594]);
    const { result, left, right } = await renderCapture(streams);
    expect(
      eventsOf(result, 'dtmf').map(({ digit, streamId, offsetMs, durationMs }) => [
        digit,
        streamId,
        Math.round((offsetMs - 1180) / 1000) * 1000 + 1180,
        durationMs,
      ]),
    ).toEqual([
      ['1', 's0', 1180, 160],
      ['2', 's0', 2180, 160],
      ['3', 's0', 3180, 160],
      ['4', 's0', 4180, 160],
      ['#', 's0', 5180, 160],
    ]);
    for (const { offsetMs } of eventsOf(result, 'dtmf')) {
      expect(Math.abs(((offsetMs - 180 + 500) % 1000) - 500)).toBeLessThan(15);
      expect(silentBetween(left, 8000, offsetMs + 5, offsetMs + 150, 0)).toBe(true);
    }
    expect(compare(left, streams[0]!, result.audio!.startMs).worst).toBeGreaterThan(0.999);
    expect(compare(right, streams[1]!, result.audio!.startMs).worst).toBeGreaterThan(0.999);
    expect(eventsOf(result, 'gap')).toEqual([]);
    expect(result.streams[0]).toMatchObject({ lost: 0, late: 0, codecs: ['PCMU/8000', 'TELEPHONE-EVENT/8000'] });
  });
});

describe('mod_oreka', () => {
  test('a callee who answers late: both streams begin with the same timestamp, three seconds apart', async () => {
    const streams = streamsOf('oreka/late-callee/oreka', [32_052, 31_598]);
    const { result, left, right } = await renderCapture(streams, 'arrival');
    // FreeSWITCH sends some silence before the tone.
    const sent = Int16Array.from(
      streams[1]!.slice(0, 50).flatMap(({ payload }) => [...payload.subarray(12)]),
      decodeUlaw,
    );
    const expectedMs = streams[1]![0]!.timeMs - streams[0]![0]!.timeMs + toneOnset(sent, 8000, 880)!;
    expect(Math.abs(toneOnset(right, 8000, 880)! - expectedMs)).toBeLessThan(10);
    expect(toneLevel(left, 8000, 440, 100, 8000)).toBeGreaterThan(-30);
    expect(toneLevel(right, 8000, 880, 3200, 8000)).toBeGreaterThan(-30);
    expect(Math.abs(result.audio!.durationMs - 8060)).toBeLessThan(20);
    expect(result.events).toEqual([]);
  });

  test('a hole that the timestamps hide', async () => {
    const streams = streamsOf('oreka/ivr/oreka', [30_310, 32_306]);
    const { result, left, right } = await renderCapture(streams, 'arrival');
    const [gap] = eventsOf(result, 'gap');
    expect(gap).toMatchObject({ streamId: 's1', cause: 'silence' });
    expect(Math.abs(gap!.offsetMs - 1500)).toBeLessThan(15);
    expect(Math.abs(gap!.durationMs - 1520)).toBeLessThan(15);
    expect(silentBetween(right, 8000, 1520, 3000, 0)).toBe(true);
    expect(toneLevel(right, 8000, 660, 3100, 4400)).toBeGreaterThan(-30);
    expect(toneLevel(left, 8000, 440, 1520, 3000)).toBeGreaterThan(-30);
    expect(Math.abs(result.audio!.durationMs - 4520)).toBeLessThan(15);
  });

  test.each(['normal', 'ivr', 'late-callee', 'mux', 'api-start-stop', 'xheaders'])(
    '%s: every payload has the rate of its label',
    async (name) => {
      const path = fileURLToPath(new URL(`../fixtures/oreka/${name}/oreka.pcap`, import.meta.url));
      const isAudio = ({ destination, payload }: CapturedDatagram) =>
        destination.port !== 6000 && payload.length === 172;
      const ports = readPcap(readFileSync(path))
        .filter(isAudio)
        .map(({ destination }) => destination.port);
      const streams = streamsOf(`oreka/${name}/oreka`, [...new Set(ports)]);
      const { result, left } = await renderCapture(streams, 'arrival');
      expect(result.warnings).toEqual([]);
      expect(result.streams.map(({ late, lost, undecodable }) => [late, lost, undecodable])).toEqual(
        streams.map(() => [0, 0, 0]),
      );
      // The tones repeat themselves, so likeness shows what is heard, and the length when.
      expect(compare(left, streams[0]!, result.audio!.startMs).worst).toBeGreaterThan(0.99);
      const arrivals = streams.flat().map(({ timeMs }) => timeMs);
      const spanMs = Math.max(...arrivals) - Math.min(...arrivals) + 20;
      expect(Math.abs(result.audio!.durationMs - spanMs)).toBeLessThan(20);
    },
  );
});
