// CPU per received RTP packet: the capture engine with everything on, beside a bare node:dgram receiver in the same run.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linuxReceiverAvailable } from '../../src/capture/linux/availability.ts';

export interface CaptureBenchOptions {
  /** Two streams each. */
  recordings?: number;
  packetsPerSecond?: number;
  seconds?: number;
  /** Not measured, for compilation to settle: what a server that has been up for a minute is like. */
  warmUpSeconds?: number;
  /** Times that both receivers are measured, in turns; the medians count. */
  rounds?: number;
}

export interface ReceiverCost {
  /** CPU of the whole process, all threads, per packet received, in µs. */
  cpuPerPacketUs: number;
  packets: number;
  lost: number;
}

export interface CaptureBenchResult {
  streams: number;
  dgram: ReceiverCost;
  capture: ReceiverCost & { journalOctetsPerPacket: number };
  /** The same with the Linux receiver; null where it cannot be used. */
  linux: (ReceiverCost & { journalOctetsPerPacket: number }) | null;
  /** capture over dgram. */
  ratio: number;
}

const PEERS = fileURLToPath(new URL('./capture-peers.ts', import.meta.url));

/** Each receiver and each sender is a process of its own; every stream has its own source port. */
export async function benchCapture({
  recordings = 200,
  packetsPerSecond = 50,
  seconds = 5,
  warmUpSeconds = 6,
  rounds = 3,
}: CaptureBenchOptions = {}): Promise<CaptureBenchResult> {
  const directory = await mkdtemp(join(tmpdir(), 'sipreel-bench-'));
  const dgram: Measured[] = [];
  const capture: Measured[] = [];
  const linux: Measured[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const load = { recordings, packetsPerSecond, seconds, warmUpSeconds };
      dgram.push(await measure('dgram', load, directory));
      capture.push(await measure('capture', load, directory));
      if (linuxReceiverAvailable().available) linux.push(await measure('linux', load, directory));
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const bare = median(dgram);
  const recorded = median(capture);
  return {
    streams: recordings * 2,
    dgram: { cpuPerPacketUs: bare.cpuPerPacketUs, packets: bare.packets, lost: bare.lost },
    capture: recorded,
    linux: linux.length > 0 ? median(linux) : null,
    ratio: recorded.cpuPerPacketUs / bare.cpuPerPacketUs,
  };
}

interface Measured extends ReceiverCost {
  journalOctetsPerPacket: number;
}

async function measure(
  receiver: 'dgram' | 'capture' | 'linux',
  load: Required<Omit<CaptureBenchOptions, 'rounds'>>,
  directory: string,
): Promise<Measured> {
  const receiving = fork(PEERS, [receiver, String(load.recordings), directory], { stdio: 'inherit' });
  try {
    const { ports } = await answer<{ ports: number[] }>(receiving);
    const times = [load.packetsPerSecond, load.warmUpSeconds, load.seconds].map(String);
    const sending = fork(PEERS, ['sender', ...times], { stdio: 'inherit' });
    try {
      sending.send({ ports });
      await answer(sending);
      receiving.send('begin');
      const { sent } = await answer<{ sent: number }>(sending);
      receiving.send('stop');
      const result = await answer<{ packets: number; allPackets: number; cpuUs: number; journalOctets: number }>(
        receiving,
      );
      return {
        packets: result.packets,
        lost: sent - result.allPackets,
        cpuPerPacketUs: result.cpuUs / result.packets,
        journalOctetsPerPacket: result.journalOctets / result.allPackets,
      };
    } finally {
      sending.kill();
    }
  } finally {
    receiving.kill();
  }
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`a bench process ended with ${code}`)));
  });
}

function median(measured: Measured[]): Measured {
  return measured.toSorted((a, b) => a.cpuPerPacketUs - b.cpuPerPacketUs)[Math.floor(measured.length / 2)]!;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [recordings, packetsPerSecond, seconds, rounds, warmUpSeconds] = process.argv.slice(2).map(Number);
  console.log(
    await benchCapture({
      ...(recordings && { recordings }),
      ...(packetsPerSecond && { packetsPerSecond }),
      ...(seconds && { seconds }),
      ...(rounds && { rounds }),
      ...(warmUpSeconds && { warmUpSeconds }),
    }),
  );
}
