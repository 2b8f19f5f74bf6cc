// The C loop beside which receiving is judged: compiled when it is wanted, if there is a C compiler.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Stream } from './rtp-load.ts';
import { startRtpLoad } from './rtp-load-process.ts';

const SOURCE = fileURLToPath(new URL('./yardstick.c', import.meta.url));
const WARM_UP_MS = 1_000;

/** CPU per packet of the C loop in µs; null where it cannot be compiled. */
export async function yardstick(streams: number, seconds: number, directory: string): Promise<number | null> {
  const program = join(directory, 'yardstick');
  const compiled = spawnSync('cc', ['-O2', '-o', program, SOURCE], { stdio: 'ignore' });
  if (compiled.status !== 0) return null;
  const loop = spawn(program, [String(streams), '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const load = await startRtpLoad();
  try {
    const lines = createInterface({ input: loop.stdout })[Symbol.asyncIterator]();
    const next = async () => ((await lines.next()).value as string).split(' ').map(Number);
    const figures = () => {
      loop.stdin.write('?\n');
      return next();
    };
    const ports = await next();
    load.start(ports.map((port, i): Stream => ({ id: i, port, hz: 440 })));
    await sleep(WARM_UP_MS);
    const [packetsBefore, cpuBefore] = await figures();
    await sleep(seconds * 1000);
    const [packets, cpu] = await figures();
    return (cpu! - cpuBefore!) / (packets! - packetsBefore!);
  } finally {
    await load.end();
    loop.kill('SIGKILL');
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
