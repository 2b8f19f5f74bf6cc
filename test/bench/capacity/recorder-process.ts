// The recorder under test: `sipreel serve` as an operator runs it, and what /proc says of it.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));
/** sysconf(_SC_CLK_TCK), which Linux has fixed for programs. */
const TICKS_PER_SECOND = 100;
/** Below the ports that the load's sockets get. */
const RTP_PORTS = '10000-32000';
const COMPLAINTS = new Set(['warn', 'error', 'fatal']);
export const ANSWER_DELAY_MS = 10;
/** Everybody who listens has the same token here. */
const CONFIG = `limits: { recordings: 20000 }
sip: { answerDelayMs: ${ANSWER_DELAY_MS} }
http: { requestsPerMinute: 1000000 }
`;

export interface RecorderProcess {
  sipPort: number;
  receiver: string;
  /** CPU time of all its threads so far. */
  cpuUs(): number;
  residentOctets(): number;
  descriptors(): number;
  /** Lines of its log above info, the first few. */
  readonly complaints: string[];
  stop(): Promise<void>;
}

export async function startRecorder(data: string): Promise<RecorderProcess> {
  const config = join(data, 'bench.yaml');
  writeFileSync(config, CONFIG);
  const options = [
    '--config',
    config,
    '--data',
    data,
    '--sip',
    'udp:127.0.0.1:0',
    '--oreka',
    'off',
    '--http',
    '127.0.0.1:0',
  ];
  const media = ['--media-address', '127.0.0.1', '--rtp-ports', RTP_PORTS];
  const child = spawn(process.execPath, [CLI, 'serve', ...options, ...media], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const complaints: string[] = [];
  const ready = await new Promise<{ sip: string[]; receiver: string }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; level: string; sip: string[]; receiver: string };
      if (entry.msg === 'ready') resolve(entry);
      else if (COMPLAINTS.has(entry.level) && complaints.length < 5) complaints.push(line.slice(0, 300));
    });
  });
  const proc = `/proc/${child.pid}`;
  return {
    sipPort: Number(ready.sip[0]!.split(':').at(-1)),
    receiver: ready.receiver,
    complaints,
    cpuUs() {
      const stat = readFileSync(`${proc}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
    },
    residentOctets() {
      return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${proc}/status`, 'latin1'))![1]) * 1024;
    },
    descriptors: () => readdirSync(`${proc}/fd`).length,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
