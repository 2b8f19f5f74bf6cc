// What bringing journals onto the disk costs: the same second of calls written under each policy, in turns, as a ratio.
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FileWriter } from '../../src/capture/file-writer.ts';
import { JournalFile, type SyncPolicy } from '../../src/capture/journal-file.ts';
import { datagramFlow } from '../../src/journal/writer.ts';
import { systemClock } from '../../src/lib/clock.ts';

const JOURNALS = 200;
const SECONDS = 5;
/** Two streams of G.711, written five times a second. */
const PACKETS_PER_FLUSH = 20;
const FLUSHES_PER_SECOND = 5;

export const SYNC_POLICIES: Record<string, SyncPolicy> = {
  none: 'none',
  recording: 'recording',
  'interval 1000 ms': { everyMs: 1_000 },
  'interval 200 ms': { everyMs: 200 },
};

export interface SyncCost {
  policy: string;
  /** CPU of the process per second of one call, µs, the end of the recording included. */
  cpuPerCallSecondUs: number;
  /** How long the last journal took from the end of the calls to being closed, ms. */
  closingMs: number;
}

/** Writes into the current directory's file system, since the one of temporary files may be memory. */
export async function benchSync(): Promise<SyncCost[]> {
  const costs: SyncCost[] = [];
  for (const [policy, sync] of Object.entries(SYNC_POLICIES)) costs.push(await costOf(policy, sync));
  return costs;
}

async function costOf(policy: string, sync: SyncPolicy): Promise<SyncCost> {
  const directory = await mkdtemp(join(process.cwd(), '.bench-sync-'));
  const writer = new FileWriter();
  const fileSystem = { ...fs, write: writer.write.bind(writer) };
  const flow = datagramFlow({ host: '10.0.0.1', port: 1000 }, { host: '10.0.0.2', port: 2000 });
  const payload = Buffer.alloc(172);
  try {
    const files: JournalFile[] = [];
    for (let i = 0; i < JOURNALS; i++) {
      const path = join(directory, `${i}.pcapng`);
      const file = await JournalFile.open({ path, clock: systemClock, onFailure: () => {}, fileSystem, sync });
      file.writer.addInterface('s0', '');
      files.push(file);
    }
    const before = process.cpuUsage();
    for (let turn = 0; turn < SECONDS * FLUSHES_PER_SECOND; turn++) {
      for (const file of files) {
        for (let i = 0; i < PACKETS_PER_FLUSH; i++)
          file.writer.writeDatagram(0, systemClock.nowMs(), flow, payload, 0, payload.length);
        file.flush();
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 / FLUSHES_PER_SECOND));
    }
    const endMs = performance.now();
    await Promise.all(files.map((file) => file.close()));
    const { user, system } = process.cpuUsage(before);
    return {
      policy,
      cpuPerCallSecondUs: (user + system) / (JOURNALS * SECONDS),
      closingMs: performance.now() - endMs,
    };
  } finally {
    await writer.close();
    await rm(directory, { recursive: true, force: true });
  }
}
