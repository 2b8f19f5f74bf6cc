// Senders that want to hurt: memory, length and time stay bounded, and what can be heard is heard.

import { statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderJob } from '../../src/render/job.ts';
import { readWavPart, toneLevel } from '../support/listen.ts';
import {
  EVENTS,
  jobIn,
  journalOf,
  PCMU,
  type SyntheticPacket,
  talk,
  tone,
  writeJournal,
} from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { render } from './rendered.ts';

const ONE = [{ streamId: 's0' }];
const steady = (toMs: number) => talk({ streamId: 's0', fromMs: 0, toMs, signal: tone(440) });
const SLACK_MS = 4000;

/** Offsets of a journal's octets, but for the packets' times: a changed one may cost gigabytes of silence. */
function octetsBesideTimes(journal: Buffer): number[] {
  const offsets: number[] = [];
  for (let block = 0; block < journal.length; block += journal.readUInt32LE(block + 4)) {
    const isPacket = journal.readUInt32LE(block) === 6;
    for (let i = 0; i < journal.readUInt32LE(block + 4); i++) {
      if (!isPacket || i < 12 || i >= 20) offsets.push(block + i);
    }
  }
  return offsets;
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

describe('senders without sense', () => {
  test('a new SSRC with every packet: still heard, by arrival', async () => {
    const packets = steady(60_000).map((packet, i) => ({ ...packet, ssrc: i }));
    const { left, result, wav } = await render(packets, ONE);
    expect(wav.durationMs).toBe(60_000);
    expect(toneLevel(left, 8000, 440, 0, 15_000)).toBeCloseTo(-6, 0);
    expect(toneLevel(left, 8000, 440, 40_000, 60_000)).toBeCloseTo(-6, 0);
    expect(result.streams[0]!.ssrcs.length).toBe(32);
    expect(result.warnings.map(({ code }) => code)).toEqual(['timestamps-unusable']);
  });

  test('random timestamps: heard by arrival, no longer than the call', async () => {
    const next = random(1);
    const packets = steady(60_000).map((packet) => ({ ...packet, rtpTime: next() }));
    const { left, result, wav } = await render(packets, ONE);
    expect(Math.abs(wav.durationMs - 60_000)).toBeLessThan(SLACK_MS);
    expect(toneLevel(left, 8000, 440, 5000, 60_000)).toBeCloseTo(-6, 0);
    expect(result.warnings.map(({ code }) => code)).toEqual(['timestamps-unusable']);
  });

  test('random everything', async () => {
    const next = random(2);
    const packets = steady(20_000).map((packet) => ({
      ...packet,
      rtpTime: next(),
      ssrc: next() % 7,
      sequenceNumber: next(),
      payloadType: next() % 128,
      payload: packet.payload.subarray(0, next() % 161),
    }));
    const formats = [PCMU, EVENTS];
    const { wav } = await render(packets, [{ streamId: 's0', formats }]);
    expect(wav.durationMs).toBeLessThan(20_000 + SLACK_MS);
  });

  test('a day of audio in ten seconds does not become a day', async () => {
    const packets = steady(200_000).map((packet, i) => ({ ...packet, arrivalMs: i }));
    const { wav } = await render(packets, ONE);
    expect(wav.durationMs).toBeLessThan(10_000 + 2 * SLACK_MS);
  });

  test('audio at one and a half times its speed stays as long as the call', async () => {
    const packets = steady(60_000).map((packet) => ({ ...packet, arrivalMs: packet.arrivalMs / 1.5 }));
    const { wav } = await render(packets, ONE);
    expect(Math.abs(wav.durationMs - 40_000)).toBeLessThan(SLACK_MS);
  });

  test('timestamps that crawl ahead of time by little jumps', async () => {
    const packets = steady(60_000).map((packet, i) => ({ ...packet, rtpTime: packet.rtpTime + i * 1500 }));
    const { wav } = await render(packets, ONE);
    expect(wav.durationMs).toBeLessThan(60_000 + SLACK_MS);
  });

  test('ten thousand SSRC changes and key presses are not all told', async () => {
    const packets = steady(240_000).map((packet, i) => ({
      ...packet,
      ssrc: i % 3,
      payloadType: 101,
      rtpTime: i * 160,
      payload: Uint8Array.of(i % 16, 0x8a, 0, 160),
    }));
    const { result } = await render([...packets, ...steady(20)], [{ streamId: 's0', formats: [PCMU, EVENTS] }]);
    expect(result.events.length).toBe(20_000);
    expect(result.warnings.map(({ code }) => code)).toEqual(['too-many-events', 'too-many-events']);
  });
});

describe('clocks', () => {
  test('hours between packets are silence, in the same memory', async () => {
    const directory = await temporaryDirectory();
    const job = jobIn(directory, ONE, { channels: 1 });
    const later = talk({ streamId: 's0', fromMs: 8 * 3600_000, toMs: 8 * 3600_000 + 2000, signal: tone(880), ssrc: 9 });
    writeJournal(job.journalPath, [...steady(2000), ...later]);
    const before = process.memoryUsage();
    const { audio } = renderJob(job);
    const after = process.memoryUsage();
    expect(audio!.durationMs).toBe(8 * 3600_000 + 2000);
    expect(statSync(job.audioPath).size).toBe(audio!.octets);
    expect(toneLevel(readWavPart(job.audioPath, 0, 0, 2000), 8000, 440, 0, 2000)).toBeCloseTo(-6, 0);
    const end = readWavPart(job.audioPath, 0, audio!.durationMs - 2000, audio!.durationMs);
    expect(toneLevel(end, 8000, 880, 0, 2000)).toBeCloseTo(-6, 0);
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(64 << 20);
  }, 60_000);

  test.each([
    ['years forwards', 40 * 365 * 86_400_000],
    ['hours backwards', -5 * 3600_000],
  ])('the clock steps by %s: the time between is left out, with a warning', async (_, stepMs) => {
    const before = steady(2000);
    const after = talk({ streamId: 's0', fromMs: 2000, toMs: 4000, signal: tone(880), ssrc: 9 });
    const directory = await temporaryDirectory();
    const job = jobIn(directory, ONE);
    const stepped = after.map((packet) => ({ ...packet, arrivalMs: packet.arrivalMs + stepMs }));
    writeFileSync(job.journalPath, Buffer.concat([journalOf(before), journalOf(stepped)]));
    const { audio, warnings } = renderJob(job);
    expect(Math.abs(audio!.durationMs - 4000)).toBeLessThan(50);
    expect(warnings.map(({ code }) => code)).toEqual(['clock-step']);
    expect(toneLevel(readWavPart(job.audioPath, 0, 2100, 4000), 8000, 880, 0, 1900)).toBeCloseTo(-6, 0);
  });

  test('a clock at 1970', async () => {
    const packets = steady(2000).map((packet) => ({
      ...packet,
      arrivalMs: packet.arrivalMs - Date.UTC(2026, 0, 1, 12),
    }));
    const { wav, result } = await render(packets, ONE);
    expect({ durationMs: wav.durationMs, startMs: result.audio!.startMs }).toEqual({ durationMs: 2000, startMs: 0 });
  });
});

describe('fuzz', () => {
  test('mutated journals never break the renderer', async () => {
    const directory = await temporaryDirectory();
    const job = jobIn(directory, [{ streamId: 's0', formats: [PCMU, EVENTS] }, { streamId: 's1' }]);
    const whole = journalOf([...steady(500), ...talk({ streamId: 's1', fromMs: 100, toMs: 400, signal: tone(880) })]);
    const change = fc.record({ at: fc.constantFrom(...octetsBesideTimes(whole)), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 30 }), fc.nat(whole.length), (changes, length) => {
        const mutated = Buffer.from(whole);
        for (const { at, value } of changes) mutated[at] = value;
        writeFileSync(job.journalPath, mutated.subarray(0, length));
        const { audio } = renderJob(job);
        return audio === null || audio.durationMs > 0;
      }),
      { numRuns: 60, interruptAfterTimeLimit: 2000 },
    );
  });

  test('any packets: bounded by the span of their arrivals', async () => {
    const directory = await temporaryDirectory();
    const job = jobIn(directory, ONE, { channels: 1 });
    const packet = fc.record({
      streamId: fc.constant('s0'),
      arrivalMs: fc.integer({ min: 0, max: 20_000 }),
      payloadType: fc.constantFrom(0, 8, 13, 18, 101),
      sequenceNumber: fc.nat(0xffff),
      rtpTime: fc.oneof(fc.nat(0xffff_ffff), fc.nat(160_000)),
      ssrc: fc.nat(3),
      payload: fc.uint8Array({ maxLength: 400 }),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 60 }), (packets: SyntheticPacket[]) => {
        writeJournal(job.journalPath, packets);
        const { audio, streams } = renderJob(job);
        const times = packets.map(({ arrivalMs }) => arrivalMs);
        const spanMs = Math.max(...times) - Math.min(...times);
        return streams.length === 1 && (audio === null || audio.durationMs <= spanMs * 1.01 + SLACK_MS);
      }),
      { numRuns: 100, interruptAfterTimeLimit: 2000 },
    );
  });
});
