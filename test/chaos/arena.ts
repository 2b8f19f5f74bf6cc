// One recorder, the calls that it gets, and the faults that befall it.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordingClient } from '../../src/client/recording-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { type Fault, strike } from './faults.ts';
import { FiledRecordings } from './filed.ts';
import { judgeAll, type PlayedCall, type Struck } from './judge.ts';
import { seededRandom } from './random.ts';
import { RecorderProcess } from './recorder-process.ts';
import { spokenClock } from './spoken-clock.ts';

export interface ArenaPlan {
  seed: number;
  faults: number;
  /** Calls at the same time. */
  calls: number;
  /** Of 100 faults, so many are `kill -9`. */
  killShare: number;
  /** From the first packet to the BYE, unless the run ends before. */
  shortestCallMs: number;
  longestCallMs: number;
  rtpPorts: string;
  /** Of the recorder, beside what every arena sets. */
  rtp?: object;
  storage?: object;
  /** Finished recordings go to another disk than running ones. */
  archiveApart: boolean;
  /** Recordings that are not as they should be are copied there. */
  keepIn: string | null;
  onFault: (fault: Fault, tookMs: number) => void;
}

export interface ArenaReport {
  calls: number;
  refused: number;
  windowsHeard: number;
  windowsExcused: number;
  failures: string[];
  diskFills: boolean;
  diskStalls: boolean;
}

/** Of everything that is recorded in ten minutes, several times. */
const DISK_MIB = 2_048;
const SETTLE_LIMIT_MS = 120_000;
/** Before the first fault and after the last one, so that there is something to be heard. */
const QUIET_MS = 2_500;
const voices = { caller: spokenClock('caller'), callee: spokenClock('callee') };

/** Resolves when all is filed and the recorder has been ended. The arena is then to be judged, which takes the processor. */
export async function runArena(plan: ArenaPlan, client: RecordingClient): Promise<Arena> {
  const arena = new Arena(plan);
  try {
    await arena.run(client);
    await arena.end();
    return arena;
  } catch (error) {
    await arena.end();
    arena.clear();
    throw error;
  }
}

export class Arena {
  readonly #plan: ArenaPlan;
  readonly #directory = mkdtempSync(join(tmpdir(), 'sipreel-chaos-'));
  readonly #data = join(this.#directory, 'data');
  readonly #archive: string;
  readonly #disk;
  readonly #recorder: RecorderProcess;
  readonly #filed: FiledRecordings;
  readonly #played: PlayedCall[] = [];
  readonly #history: Struck[] = [];
  #refused = 0;
  #goesOn = true;

  constructor(plan: ArenaPlan) {
    this.#plan = plan;
    this.#archive = plan.archiveApart ? join(this.#directory, 'archive') : this.#data;
    mkdirSync(this.#data);
    mkdirSync(this.#archive, { recursive: true });
    this.#disk = mountSmallDisk(this.#data, join(this.#directory, 'disk.img'), DISK_MIB);
    const apart = plan.archiveApart ? { archiveDirectory: this.#archive } : {};
    const settings = {
      data: this.#data,
      rtp: { ...plan.rtp, ports: plan.rtpPorts },
      storage: { ...plan.storage, ...apart },
    };
    this.#recorder = new RecorderProcess(settings, this.#directory, () => systemClock.nowMs());
    this.#filed = new FiledRecordings(this.#archive);
  }

  async run(client: RecordingClient): Promise<void> {
    const { seed, faults, calls, killShare, onFault } = this.#plan;
    const random = seededRandom(seed);
    const recorder = this.#recorder;
    const victim = { recorder, disk: this.#disk, filed: this.#filed };
    await recorder.start();
    const callers = Array.from({ length: calls }, (_, index) => this.#callAgainAndAgain(client, seed * 1000 + index));
    await sleep(QUIET_MS);
    for (let count = 0; count < faults; count++) {
      await sleep(150 + random() * 300);
      const fromMs = systemClock.nowMs();
      const fault = await strike(random, killShare, victim);
      const toMs = systemClock.nowMs();
      this.#history.push({ fault, fromMs, toMs });
      onFault(fault, toMs - fromMs);
    }
    await sleep(QUIET_MS);
    this.#goesOn = false;
    await Promise.all(callers);
    // A full disk has the finisher wait for up to five minutes before it tries again; a restart tries at once.
    if (!(await this.#settled(SETTLE_LIMIT_MS / 4))) await recorder.killAndRestart(0, () => this.#filed.look());
    await this.#settled(SETTLE_LIMIT_MS);
  }

  async end(): Promise<void> {
    this.#goesOn = false;
    await this.#recorder.end();
  }

  /** Listens to everything, and lets go of it. */
  async judge(): Promise<ArenaReport> {
    try {
      await this.#filed.look();
      const verdict = await judgeAll(
        this.#archive,
        this.#played,
        this.#recorder.outages,
        this.#history,
        this.#plan.keepIn,
      );
      const left = this.#left();
      const failures = [...verdict.failures, ...this.#filed.failures];
      if (left > 0) failures.push(`${left} sessions are left in the spool`);
      return {
        ...verdict,
        failures,
        calls: this.#played.length,
        refused: this.#refused,
        diskFills: this.#disk !== null,
        diskStalls: this.#disk?.freezes ?? false,
      };
    } finally {
      this.clear();
    }
  }

  clear(): void {
    this.#disk?.unmount();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #callAgainAndAgain(client: RecordingClient, seed: number): Promise<void> {
    const random = seededRandom(seed);
    await sleep(random() * 1_000);
    while (this.#goesOn) {
      const call = await this.#play(client, random);
      if (call) this.#played.push(call);
      else this.#refused++;
    }
  }

  /** One call from its INVITE to its BYE; null if it was not accepted. */
  async #play(client: RecordingClient, random: () => number): Promise<PlayedCall | null> {
    const { shortestCallMs, longestCallMs } = this.#plan;
    const lasts = shortestCallMs + random() * (longestCallMs - shortestCallMs);
    const impairment = { loss: random() < 0.3 ? 0.02 : 0, reorder: random() < 0.5 ? 0.05 : 0 };
    const seed = Math.floor(random() * 2 ** 31);
    const parties = [
      { name: 'Alice', aor: 'sip:alice@example.com', audio: voices.caller },
      { name: 'Bob', aor: 'sip:bob@example.com', audio: voices.callee },
    ];
    const uri = `sip:127.0.0.1:${this.#recorder.sipPort}`;
    const session = await client.connect({ uri, parties, impairment, seed, answerTimeoutMs: 4_000 }).catch(() => null);
    if (!session) {
      await sleep(500);
      return null;
    }
    const endMs = systemClock.nowMs() + lasts;
    while (systemClock.nowMs() < endMs && this.#goesOn) await sleep(100);
    const endedMs = systemClock.nowMs();
    const { callId, streams } = session;
    // A BYE that nobody hears: the recording ends by its inactivity limit.
    await session.bye().catch(() => {});
    return { callId, streams, endedMs };
  }

  #left(): number {
    return readdirSync(join(this.#data, 'spool')).length;
  }

  /** Waits until everything is filed: recordings whose BYE nobody heard end by their inactivity limit. */
  async #settled(limitMs: number): Promise<boolean> {
    const endMs = systemClock.nowMs() + limitMs;
    while (this.#left() > 0 && systemClock.nowMs() < endMs) await sleep(200);
    return this.#left() === 0;
  }
}
