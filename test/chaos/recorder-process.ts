// Starts, kills, stops and restarts the recorder on one data directory and one set of ports, and remembers when it could not record.
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './process.ts';

/** A time in which media may be lost, on this process's clock. */
export interface Outage {
  why: string;
  fromMs: number;
  toMs: number;
}

/** Written every 200 ms; the rest is for timers and disks of a busy machine. */
const UNWRITTEN_MS = 250;
/** A thread is replaced and its ports are open again within a second. */
const REPLACED_MS = 1_000;
/** One that hangs is noticed within 6 s, and then replaced likewise. */
const HANG_NOTICED_MS = 6_000;
/** A disk that refused is tried again every second; a process that was stopped, or a call that was blocked, goes on at once. */
const RETRIED_MS = { disk: 1_300, stall: 500, stop: 500 };
const START_LIMIT_MS = 120_000;
/** Longer than a start takes on a busy machine: a recording that was away for longer does not go on. */
const INACTIVITY_S = 60;
/** As the command line has it: a start costs a second less, and threads strip no TypeScript. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/compile/', import.meta.url));

export class RecorderProcess {
  readonly outages: Outage[] = [];
  restarts = 0;
  /** What came since then may still be in memory only, until the other time. */
  #held: { sinceMs: number; untilMs: number } | null = null;
  #child: ChildProcess | null = null;
  #wallShiftMs = 0;
  #sipPort = 0;
  readonly #configPath: string;
  readonly #settings: object;
  readonly #now: () => number;

  /** `settings` go before those that every run has. */
  constructor(
    { data, rtp, storage }: { data: string; rtp: object; storage: object },
    configDirectory: string,
    now: () => number,
  ) {
    this.#configPath = join(configDirectory, 'chaos.yaml');
    this.#now = now;
    this.#settings = {
      data,
      oreka: { listen: [] },
      http: { listen: [] },
      rtp: { bindAddress: '127.0.0.1', workers: 2, ...rtp },
      limits: { inactivitySeconds: INACTIVITY_S },
      storage: { floorMiB: 0, floorPercent: 0, reservePerRecordingMiB: 0, ...storage },
    };
  }

  get sipPort(): number {
    return this.#sipPort;
  }

  async start(): Promise<void> {
    const settings = { ...this.#settings, sip: { listen: [`udp:127.0.0.1:${this.#sipPort}`] } };
    writeFileSync(this.#configPath, JSON.stringify(settings));
    const child = fork(fileURLToPath(new URL('./process.ts', import.meta.url)), [this.#configPath], {
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, CHAOS_WALL_SHIFT_MS: String(this.#wallShiftMs) },
      stdio: ['ignore', process.env.CHAOS_LOG ? 'inherit' : 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#child = child;
    const report = await firstReport(child);
    if (report.type === 'failed') throw new Error(`the recorder did not start: ${report.message}`);
    this.#sipPort = Number(report.sip.split(':').at(-1));
  }

  /** `kill -9`, and the next process after a while. `whileDead` is called in between. */
  async killAndRestart(awayMs: number, whileDead: () => Promise<void>): Promise<void> {
    const fromMs = this.#unwrittenSince();
    await this.end();
    await whileDead();
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    await this.start();
    this.restarts++;
    this.outages.push({ why: 'kill', fromMs, toMs: this.#now() });
  }

  killWorker(pick: number): void {
    const nowMs = this.#now();
    this.outages.push({ why: 'worker', fromMs: this.#unwrittenSince(), toMs: nowMs + REPLACED_MS });
    this.#order({ type: 'kill-worker', pick });
  }

  /** Whatever of its calls waits in the kernel goes with its thread. */
  hangWorker(pick: number): void {
    const toMs = this.#now() + HANG_NOTICED_MS + REPLACED_MS;
    this.outages.push({ why: 'hang', fromMs: this.#unwrittenSince(), toMs });
    this.#order({ type: 'hang-worker', pick });
  }

  /** What the kernel's buffers hold meanwhile is read afterwards: nothing may be lost. */
  async pause(forMs: number): Promise<void> {
    const sinceMs = this.#now();
    this.#child?.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, forMs));
    this.#child?.kill('SIGCONT');
    this.holdsUnwritten('stop', sinceMs);
  }

  /** Nothing could be written from `sinceMs` until now. By itself that loses nothing; a death soon after may. */
  holdsUnwritten(why: keyof typeof RETRIED_MS, sinceMs: number): void {
    const before = this.#held && sinceMs < this.#held.untilMs ? this.#held.sinceMs : sinceMs;
    this.#held = { sinceMs: Math.min(before, sinceMs), untilMs: this.#now() + RETRIED_MS[why] };
  }

  stepClock(byMs: number): void {
    this.#wallShiftMs += byMs;
    this.#order({ type: 'step-clock', byMs });
  }

  async end(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  #unwrittenSince(): number {
    const nowMs = this.#now();
    const sinceMs = this.#held && nowMs < this.#held.untilMs ? this.#held.sinceMs : nowMs;
    return sinceMs - UNWRITTEN_MS;
  }

  #order(order: Order): void {
    this.#child?.send(order);
  }
}

function firstReport(child: ChildProcess): Promise<Report> {
  return new Promise((resolve, reject) => {
    const give = (report: Report | Error) => {
      clearTimeout(limit);
      if (report instanceof Error) reject(report);
      else resolve(report);
    };
    const limit = setTimeout(
      () => give(new Error(`the recorder is not ready: ${whereabouts(child.pid!)}`)),
      START_LIMIT_MS,
    );
    child.once('message', (message) => give(message as Report));
    child.once('exit', (code, signal) => give(new Error(`the recorder ended before it was ready: ${signal ?? code}`)));
  });
}

/** What each thread of a process waits for in the kernel, where the system tells. */
function whereabouts(pid: number): string {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
    const read = (path: string) => readFileSync(path, 'utf8').trim();
    return tasks.map((task) => `${read(`${task}/comm`)} in ${read(`${task}/wchan`)}`).join(', ');
  } catch (error) {
    return (error as Error).message;
  }
}
