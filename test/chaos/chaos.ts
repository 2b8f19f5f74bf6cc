// A run of chaos: calls come and go while recorders are killed, stopped, deprived of their disks and lied to about the time;
// then every recording is listened to. The same seed gives the same faults and calls; their timing is the machine's.
import { startEmbeddedClient } from '../../src/commands/embedded-client.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type Arena, type ArenaPlan, type ArenaReport, runArena } from './arena.ts';
import type { Fault } from './faults.ts';

export interface ChaosPlan {
  seed: number;
  /** How many faults happen, in all arenas together. */
  faults: number;
  /** Recorders side by side, each with faults and calls of its own: most of a fault is waiting. */
  arenas: number;
  /** Calls at the same time, of each recorder. */
  calls: number;
  firstRtpPort: number;
  killShare: number;
  shortestCallMs: number;
  longestCallMs: number;
  /** Recordings that are not as they should be are copied there. */
  keepIn?: string | null;
  onFault?: (told: string) => void;
}

export interface ChaosReport extends ArenaReport {
  faults: Record<string, number>;
  /** How long each kind of fault took on average, ms. */
  faultMs: Record<string, number>;
}

/** What the arenas differ in, by turns. */
const ARENAS: Pick<ArenaPlan, 'rtp' | 'storage' | 'archiveApart'>[] = [
  { archiveApart: false },
  { archiveApart: true, rtp: { receiver: 'dgram' } },
  { archiveApart: false, storage: { sync: 'interval', syncIntervalMs: 500 } },
  { archiveApart: true, storage: { journal: 'when-needed' } },
];

export async function runChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const { faults, arenas, firstRtpPort, onFault, ...each } = plan;
  const struck: Record<string, number> = {};
  const tookMs: Record<string, number> = {};
  let count = 0;
  const noteFault = (fault: Fault, ms: number) => {
    struck[fault] = (struck[fault] ?? 0) + 1;
    tookMs[fault] = (tookMs[fault] ?? 0) + ms;
    onFault?.(`${++count} ${fault}`);
  };
  const portsEach = 4 * plan.calls + 200;
  const { client, close } = await startEmbeddedClient('127.0.0.1', silentLog);
  const played: Arena[] = [];
  const reports: ArenaReport[] = [];
  try {
    const running = Array.from({ length: arenas }, async (_, index) => {
      const firstPort = firstRtpPort + index * portsEach;
      const arena = await runArena(
        {
          ...each,
          keepIn: each.keepIn ?? null,
          ...ARENAS[index % ARENAS.length]!,
          seed: plan.seed + index * 7_919,
          faults: Math.floor((faults + index) / arenas),
          rtpPorts: `${firstPort}-${firstPort + portsEach - 1}`,
          onFault: noteFault,
        },
        client,
      );
      played.push(arena);
    });
    // All of them, also if one fails: each has processes and file systems to clear away.
    const failed = (await Promise.allSettled(running)).find(({ status }) => status === 'rejected');
    if (failed) await Promise.reject((failed as PromiseRejectedResult).reason);
    // One after the other, when no recorder needs the processor any more.
    while (played.length > 0) reports.push(await played.pop()!.judge());
  } finally {
    for (const arena of played) arena.clear();
    await close();
  }
  const faultMs = Object.fromEntries(
    Object.entries(tookMs).map(([fault, ms]) => [fault, Math.round(ms / struck[fault]!)]),
  );
  return { faults: struck, faultMs, ...together(reports) };
}

function together(reports: ArenaReport[]): ArenaReport {
  const sum = (of: (report: ArenaReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  return {
    calls: sum(({ calls }) => calls),
    refused: sum(({ refused }) => refused),
    windowsHeard: sum(({ windowsHeard }) => windowsHeard),
    windowsExcused: sum(({ windowsExcused }) => windowsExcused),
    diskFills: reports.every(({ diskFills }) => diskFills),
    diskStalls: reports.every(({ diskStalls }) => diskStalls),
    failures: reports.flatMap(({ failures }) => failures),
  };
}
