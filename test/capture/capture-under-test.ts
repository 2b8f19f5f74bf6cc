// A capture engine with its workers on loopback, in a port range of its own, and senders with real sockets.
import { createSocket, type Socket } from 'node:dgram';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, onTestFinished } from 'vitest';
import { type CaptureOptions, createCapture } from '../../src/capture/capture-engine.ts';
import { linuxReceiverAvailable } from '../../src/capture/linux/availability.ts';
import type { ReceiverKind } from '../../src/capture/protocol.ts';
import type { CaptureEvents, CaptureStreamSpec } from '../../src/recording/engines.ts';
import { PCMU } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export { sleep };

let receiverUnderTest: ReceiverKind = 'dgram';

/** Of the test that is running inside `onEachReceiver`. */
export function underTest(): ReceiverKind {
  return receiverUnderTest;
}

/** The same tests on every receiver that works here; the others are listed as skipped. */
export function onEachReceiver(name: string, define: () => void): void {
  const linux = linuxReceiverAvailable();
  for (const receiver of ['dgram', 'linux'] as const) {
    describe.skipIf(receiver === 'linux' && !linux.available)(`${name} (${receiver})`, () => {
      beforeEach(() => {
        receiverUnderTest = receiver;
      });
      define();
    });
  }
}

/** Of each test process that runs at the same time, beside the ports that systems hand out by themselves; none has 5060 or 15060. */
const OWN_PORTS = [12_000, 2_000, 61_000];
const OWN_PORTS_COUNT = 3_000;
const ownFirst = OWN_PORTS[Number(process.env.VITEST_POOL_ID ?? 1) % OWN_PORTS.length]!;
let nextOffset = 2 * Math.floor(Math.random() * (OWN_PORTS_COUNT / 2));

/** One after the other, so that neither what runs beside a test nor what rests from the last one is met. */
export function someRange(pairs = 40): { first: number; last: number } {
  if (nextOffset + pairs * 2 > OWN_PORTS_COUNT) nextOffset = 0;
  const first = ownFirst + nextOffset;
  nextOffset += pairs * 2;
  return { first, last: first + pairs * 2 - 1 };
}

export interface ToldEvents extends CaptureEvents {
  readonly told: { what: 'interrupted' | 'resumed' | 'storageFailed'; atMs: number | null }[];
}

export function noteEvents(): ToldEvents {
  const told: ToldEvents['told'] = [];
  return {
    told,
    interrupted: (atMs) => told.push({ what: 'interrupted', atMs }),
    resumed: (atMs) => told.push({ what: 'resumed', atMs }),
    storageFailed: () => told.push({ what: 'storageFailed', atMs: null }),
  };
}

/** Closed after the test. */
export async function startCapture(options: Partial<CaptureOptions> = {}) {
  const directory = await temporaryDirectory();
  const portRange = options.portRange ?? someRange();
  const capture = createCapture({
    receiver: receiverUnderTest,
    bindAddress: '127.0.0.1',
    portRange,
    workers: 1,
    // Later than any test: most have no need of a further thread.
    spareAfterMs: 600_000,
    rtcpReports: false,
    ...options,
  });
  onTestFinished(() => capture.close());
  await capture.start();
  return { capture, portRange, journalPath: (id: string) => join(directory, `${id}.pcapng`) };
}

export function streamSpec(streamId: string, more: Partial<CaptureStreamSpec> = {}): CaptureStreamSpec {
  return { streamId, label: streamId.slice(1), formats: [PCMU], receiving: true, ...more };
}

export interface Sender {
  readonly socket: Socket;
  readonly port: number;
  send(octets: Uint8Array, port: number): Promise<void>;
  close(): Promise<void>;
}

/** Closed after the test. */
export async function newSender(host = '127.0.0.1', port = 0): Promise<Sender> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, resolve);
  });
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= new Promise((resolve) => socket.close(() => resolve())));
  onTestFinished(close);
  return {
    socket,
    port: socket.address().port,
    send: (octets, to) =>
      new Promise((resolve, reject) =>
        socket.send(octets, to, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
      ),
    close,
  };
}

/** An even port whose pair nobody has, outside of the capture's range. */
export async function freeEvenPort(): Promise<number> {
  for (;;) {
    const port = 15_000 + 2 * Math.floor(Math.random() * 400);
    try {
      await (await newSender('127.0.0.1', port)).close();
      return port;
    } catch {
      // Somebody has it.
    }
  }
}

/** Waits until `ready`, asked every few ms. */
export async function until(what: string, ready: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(5);
  }
}
