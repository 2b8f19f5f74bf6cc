// How many seconds of a stereo G.711 call are rendered per second of one thread, and whether memory stays put.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderJob } from '../../src/render/job.ts';
import { jobIn, journalOf, type SyntheticPacket, talk, tone } from '../support/synthetic-journal.ts';

const CALL_MINUTES = 30;
const ROUNDS = 3;

/** Renders a synthetic call in this thread, the best of three rounds. */
export async function benchRender() {
  const directory = mkdtempSync(join(tmpdir(), 'sipreel-bench-'));
  try {
    const job = jobIn(directory, [{ streamId: 's0' }, { streamId: 's1' }]);
    writeFileSync(job.journalPath, journalOf(longCall()));
    let callSecondsPerSecond = 0;
    renderJob(job);
    const rssBefore = process.memoryUsage.rss();
    for (let round = 0; round < ROUNDS; round++) {
      const startedMs = performance.now();
      const { audio } = renderJob(job);
      const seconds = (performance.now() - startedMs) / 1000;
      callSecondsPerSecond = Math.max(callSecondsPerSecond, audio!.durationMs / 1000 / seconds);
    }
    return {
      callSecondsPerSecond: Math.round(callSecondsPerSecond),
      rssGrowthOctets: process.memoryUsage.rss() - rssBefore,
      journalOctets: statSync(job.journalPath).size,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The first minute again and again: making tones takes longer than rendering them. */
function longCall(): SyntheticPacket[] {
  const minute = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 60_000, signal: tone(440), driftPpm: 0 }),
    ...talk({ streamId: 's1', fromMs: 7, toMs: 60_007, signal: tone(880), driftPpm: 0 }),
  ];
  return Array.from({ length: CALL_MINUTES }, (_, n) =>
    minute.map((packet) => ({
      ...packet,
      arrivalMs: packet.arrivalMs + n * 60_000 + ((packet.sequenceNumber * 7919) % 11) / 4,
      sequenceNumber: packet.sequenceNumber + n * 3000,
      rtpTime: packet.rtpTime + n * 480_000,
    })),
  ).flat();
}

if (import.meta.main) console.log(await benchRender());
