// Calls per second against a recorder in its own process: how long the answer takes beyond its configured delay, and how
// fast calls can be set up and taken down without one failing or losing a packet.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { listRecordings } from '../../src/archive/list.ts';
import { tonePair } from '../../src/client/audio.ts';
import { type CampaignSummary, runCampaign } from '../../src/client/campaign.ts';
import { startEmbeddedClient } from '../../src/commands/embedded-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';

const ANSWER_DELAY_MS = 10;
const FILED_WITHIN_MS = 60_000;

export interface SignallingBench {
  callsPerSecond: number;
  calls: number;
  failed: number;
  /** INVITE sent to 200 received, less the configured delay. */
  answerP50Ms: number;
  answerP99Ms: number;
  filed: number;
  packetsSent: number;
  packetsRecorded: number;
}

/** Calls of one second each, at that rate, for that long. */
export async function benchSignalling(callsPerSecond: number, seconds: number): Promise<SignallingBench> {
  const data = mkdtempSync(join(tmpdir(), 'sipreel-bench-'));
  const server = await startServer(data);
  const { client, close } = await startEmbeddedClient('127.0.0.1', silentLog);
  try {
    const [caller, callee] = tonePair();
    const calls = callsPerSecond * seconds;
    const plan = {
      uri: `sip:127.0.0.1:${server.port}`,
      parties: [
        { name: 'Alice', aor: 'sip:alice@example.com', audio: caller },
        { name: 'Bob', aor: 'sip:bob@example.com', audio: callee },
      ],
      durationMs: 1_000,
    };
    const campaign = { calls, ratePerSecond: callsPerSecond, plan: () => plan };
    const summary = await runCampaign(client, campaign, systemClock);
    return { callsPerSecond, ...figures(summary), ...(await recorded(data, calls)) };
  } finally {
    await close();
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

function figures(summary: CampaignSummary) {
  return {
    calls: summary.attempted,
    failed: Object.values(summary.failed).reduce((sum, count) => sum + count, 0),
    answerP50Ms: (summary.setUpMs?.p50 ?? Number.NaN) - ANSWER_DELAY_MS,
    answerP99Ms: (summary.setUpMs?.p99 ?? Number.NaN) - ANSWER_DELAY_MS,
    packetsSent: summary.packetsSent,
  };
}

async function recorded(data: string, expected: number): Promise<{ filed: number; packetsRecorded: number }> {
  const endMs = Date.now() + FILED_WITHIN_MS;
  for (;;) {
    let filed = 0;
    let packetsRecorded = 0;
    for await (const { document } of listRecordings(data)) {
      filed++;
      for (const stream of document.streams) packetsRecorded += stream.packets;
    }
    if (filed >= expected || Date.now() > endMs) return { filed, packetsRecorded };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function startServer(data: string) {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const options = [
    '--data',
    data,
    '--sip',
    'udp:127.0.0.1:0',
    '--oreka',
    'off',
    '--media-address',
    '127.0.0.1',
    '--rtp-ports',
    '10000-30000',
  ];
  const child = spawn(process.execPath, [cli, 'serve', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; sip: string[] };
      if (entry.msg === 'ready') resolve(Number(entry.sip[0]?.split(':').at(-1)));
    });
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { port, stop };
}

if (import.meta.main) console.log(await benchSignalling(50, 10));
