// Many calls at a steady rate: SIPp signals, and each call's media goes where the recorder's answers say.

import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAnswer } from '../../src/client/answer.ts';
import { DistantToneSender } from './distant-tone-sender.ts';
import { tapSip } from './sip-tap.ts';
import type { ToneTarget } from './tone-sender.ts';

export interface LoadPlan {
  scenario: 'changing-call' | 'plain-call';
  transport: 'tcp' | 'tls';
  sipPort: number;
  calls: number;
  ratePerSecond: number;
  /** Length of each of the scenario's pauses. */
  pauseMs: number;
  /** Where SIPp may leave its files. */
  directory: string;
}

/** When what happened, in order of time, Unix ms: talk and pause by the sender, the others as signalled. */
export interface CallLog {
  call: number;
  phases: { what: 'talk' | 'changing' | 'pause' | 'end'; atMs: number }[];
}

export interface LoadResult {
  exitCode: number;
  complaints: string;
  /** By call number; only those that were answered. */
  calls: Map<number, CallLog>;
  packetsSent: number;
  worstSenderLagMs: number;
  /** Times from INVITE to 503 as SIPp saw them, sorted, ms. */
  refusalsMs: number[];
  /** The same from when the INVITE went to the recorder until the 503 came from it, without SIPp's own delays, sorted, ms. */
  refusalsAtRecorderMs: number[];
}

/** The scenarios' CSeq of the INVITE that begins the call, and of that which pauses it. */
const FIRST_CSEQ = 2;
const PAUSING_CSEQ = 3;

export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const { directory, transport } = plan;
  const sender = new DistantToneSender();
  const follower = new CallFollower(sender);
  const tap = await tapSip(plan.sipPort, transport, (message) => follower.hear(message));
  const errorPath = join(directory, 'errors.log');
  const limitSeconds = Math.ceil(plan.calls / plan.ratePerSecond + (4 * plan.pauseMs) / 1000) + 30;
  const sipp = spawn(
    'sipp',
    [
      ...[`127.0.0.1:${tap.port}`, '-sf', fileURLToPath(new URL(`./${plan.scenario}.xml`, import.meta.url))],
      ...['-t', 't1', '-key', 'via_transport', transport.toUpperCase(), '-key', 'uri_transport', transport],
      ...['-m', String(plan.calls), '-r', String(plan.ratePerSecond), '-l', String(plan.calls)],
      ...['-d', String(plan.pauseMs), '-cid_str', 'load-%u@sipp', '-i', '127.0.0.1', '-nostdin'],
      ...['-timeout', `${limitSeconds}s`, '-timeout_error', '-trace_rtt', '-rtt_freq', '1'],
      // It binds a media port although it plays none: off the ports of the recorders that other tests run beside it.
      ...['-mp', String(11_000 + 4 * randomInt(225))],
      // It would count pauses of a busy machine as errors.
      ...['-watchdog_interval', '0'],
      ...['-trace_err', '-error_file', errorPath],
    ],
    { cwd: directory, stdio: 'ignore' },
  );
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      sipp.once('error', reject);
      sipp.once('exit', (code) => resolve(code ?? -1));
    });
    const { packetsSent, worstLagMs, events } = await sender.report();
    for (const { call, ...phase } of events) follower.note(call, phase);
    return {
      exitCode,
      complaints: await readFile(errorPath, 'utf8').catch(() => ''),
      calls: follower.calls,
      packetsSent,
      worstSenderLagMs: worstLagMs,
      refusalsMs: await responseTimes(directory),
      refusalsAtRecorderMs: follower.refusalsMs.toSorted((a, b) => a - b),
    };
  } finally {
    await sender.close();
    tap.close();
  }
}

/** Each call's number, from SIPp's `-cid_str`. */
export function callNumber(text: string): number {
  return Number(/load-(\d+)@sipp/.exec(text)?.[1]);
}

/** What is signalled, as orders to the sender. */
class CallFollower {
  readonly calls = new Map<number, CallLog>();
  /** From an INVITE that passed the tap to its 503 that came back there. */
  readonly refusalsMs: number[] = [];
  readonly #invitedMs = new Map<number, number>();
  readonly #sender: DistantToneSender;

  constructor(sender: DistantToneSender) {
    this.#sender = sender;
  }

  hear(message: string): void {
    const call = callNumber(message);
    if (message.startsWith('BYE ')) {
      this.#sender.give({ order: 'end', call });
      this.note(call, { what: 'end', atMs: nowMs() });
      return;
    }
    const cseq = Number(/^CSeq: (\d+) INVITE/im.exec(message)?.[1]);
    if (message.startsWith('INVITE ')) {
      if (cseq === FIRST_CSEQ) this.#invitedMs.set(call, nowMs());
      // Until its answer, the recorder may be in either state.
      else this.note(call, { what: 'changing', atMs: nowMs() });
    }
    if (message.startsWith('SIP/2.0 503')) this.refusalsMs.push(nowMs() - this.#invitedMs.get(call)!);
    if (message.startsWith('SIP/2.0 200') && !Number.isNaN(cseq)) this.#answered(call, cseq, message);
  }

  /** The phases of a call stand in the order of their times. */
  note(call: number, phase: CallLog['phases'][number]): void {
    const log = this.calls.get(call) ?? { call, phases: [] };
    this.calls.set(call, log);
    log.phases.push(phase);
    log.phases.sort((a, b) => a.atMs - b.atMs);
  }

  #answered(call: number, cseq: number, message: string): void {
    if (cseq === PAUSING_CSEQ) {
      this.#sender.give({ order: 'whisper', call });
      return;
    }
    const reading = readAnswer(message.slice(message.indexOf('\r\n\r\n') + 4), ['0', '1']);
    if (!reading.ok) throw new Error(`call ${call}: ${reading.reason}`);
    const [caller, callee] = ['0', '1'].map(
      (label) => reading.streams.find((stream) => stream.label === label)?.destination,
    );
    if (!caller || !callee) throw new Error(`call ${call}: the answer takes no media`);
    const target: ToneTarget = { host: caller.host, ports: [caller.rtpPort, callee.rtpPort] };
    this.#sender.give({ order: 'talk', call, target });
  }
}

const nowMs = () => performance.timeOrigin + performance.now();

async function responseTimes(directory: string): Promise<number[]> {
  const name = (await readdir(directory)).find((file) => file.endsWith('_rtt.csv'));
  if (!name) return [];
  const lines = (await readFile(join(directory, name), 'utf8')).trim().split('\n').slice(1);
  return lines.map((line) => Number(line.split(';')[1])).sort((a, b) => a - b);
}

/** Nearest rank, of a sorted list that is not empty. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}
