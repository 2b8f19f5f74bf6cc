// What is done to a recorder, and what that allows it to lose (RecorderProcess keeps account of it).
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/lib/clock.ts';
import type { SmallDisk } from '../support/small-disk.ts';
import type { FiledRecordings } from './filed.ts';
import type { RecorderProcess } from './recorder-process.ts';

export interface Victim {
  recorder: RecorderProcess;
  /** Null where no file system can be mounted: then the disk never fills or stalls. */
  disk: SmallDisk | null;
  filed: FiledRecordings;
}

export type Fault = 'kill' | 'worker' | 'hang' | 'stop' | 'full-disk' | 'stalled-disk' | 'clock';

/** Of 100 faults; `kill` has the share that the plan gives it. */
const HANG_SHARE = 2;
const STEPS_MS = [-3_600_000, -1_000, 1_000, 3_600_000];

/** Does one thing, and resolves when it is over, not when the recorder has got over it. */
export async function strike(random: () => number, killShare: number, victim: Victim): Promise<Fault> {
  const fault = chooseFault(random, killShare, victim.disk);
  await FAULTS[fault](victim, random);
  return fault;
}

function chooseFault(random: () => number, killShare: number, disk: SmallDisk | null): Fault {
  const die = random() * 100;
  if (die < killShare) return 'kill';
  if (die < killShare + HANG_SHARE) return 'hang';
  const others: Fault[] = ['worker', 'stop', 'clock'];
  if (disk) others.push('full-disk');
  if (disk?.freezes) others.push('stalled-disk');
  return others[Math.floor(random() * others.length)]!;
}

const FAULTS: Record<Fault, (victim: Victim, random: () => number) => Promise<void>> = {
  kill: ({ recorder, filed }, random) => recorder.killAndRestart(random() * 1_000, () => filed.look()),
  async worker({ recorder }, random) {
    recorder.killWorker(Math.floor(random() * 8));
    // Two deaths of one thread at once are one.
    await sleep(600);
  },
  async hang({ recorder }, random) {
    recorder.hangWorker(Math.floor(random() * 8));
  },
  stop: ({ recorder }, random) => recorder.pause(100 + random() * 900),
  async 'full-disk'({ recorder, disk }, random) {
    const sinceMs = systemClock.nowMs();
    await disk!.fill();
    await sleep(300 + random() * 1_200);
    disk!.empty();
    recorder.holdsUnwritten('disk', sinceMs);
  },
  /** Longer than new calls are taken on a disk that does not answer, some of the time. */
  async 'stalled-disk'({ recorder, disk }, random) {
    const sinceMs = systemClock.nowMs();
    await disk!.freeze();
    try {
      await sleep(200 + random() * random() * 5_000);
    } finally {
      await disk!.thaw();
    }
    recorder.holdsUnwritten('stall', sinceMs);
  },
  async clock({ recorder }, random) {
    recorder.stepClock(STEPS_MS[Math.floor(random() * STEPS_MS.length)]!);
  },
};
