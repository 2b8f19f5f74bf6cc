// Receiver over epoll and recvmmsg, called through koffi: reads everything when told to; the kernel says when it came.
import type { Clock } from '../../lib/clock.ts';
import { closeOnce } from '../../lib/close.ts';
import { RECEIVE_BUFFER_OCTETS } from '../receive-buffer.ts';
import type { DatagramReceiver, DatagramSink, PortSharing } from '../receiver.ts';
import { ArrivalClock } from './arrival-clock.ts';
import { CallMemory } from './call-memory.ts';
import { AF_INET } from './layouts.ts';
import { LinuxPort, type LinuxReceiverPort, type PortSurroundings } from './linux-port.ts';
import { BATCH_MESSAGES, MAX_FETCHED, MessageBatch } from './message-batch.ts';
import { releaseDescriptor } from './owned-descriptor.ts';
import { probe } from './probe.ts';
import { MAX_READY, ReadySockets } from './ready-sockets.ts';
import { SocketError } from './socket-error.ts';
import { loadSystemCalls, type SystemCalls } from './system-calls.ts';
import { openStampingSocket, openUdpSocket } from './udp-socket.ts';

/** A round that takes longer lets the thread's other work have a turn first. */
const MAX_ROUND_MS = 50;
const EBADF = -9;

export interface LinuxReceiver extends DatagramReceiver {
  /** Rejects with a SocketError. */
  open(address: string, port: number, sink: DatagramSink, sharing?: PortSharing): Promise<LinuxReceiverPort>;
  /** The same at once. @throws SocketError */
  openNow(address: string, port: number, sink: DatagramSink, sharing?: PortSharing): LinuxReceiverPort;
  /**
   * Reads and hands over what the kernel holds for all ports. Nothing is read between two calls, so the time between
   * them has to fit the sockets' buffers. More than can be read in MAX_ROUND_MS follows after the thread's other work.
   * Does nothing inside a sink's call.
   */
  handOver(): void;
  /** What the kernel grants a socket for what is not read yet; twice what may be asked for. */
  readonly receiveBufferOctets: number;
  /** The kernel said when the datagrams came with which the receiver was proven. It may begin to later. */
  readonly stamps: boolean;
  /** Closes all ports. Idempotent. */
  close(): Promise<void>;
}

/**
 * Belongs to the thread that makes it. What it returns was proven by a datagram to itself; throws an error that says in
 * words why there can be none: another system or processor, no koffi, no loopback, a kernel that does not play along.
 * @param clock the media clock, in which arrival times are given; must run
 * @param receiveBufferOctets asked for per socket
 */
export function createLinuxReceiver(clock: Clock, receiveBufferOctets = RECEIVE_BUFFER_OCTETS): LinuxReceiver {
  if (process.platform !== 'linux') throw new Error(`this is ${process.platform}, not Linux`);
  // The layouts are those of 64-bit little-endian machines.
  if (process.arch !== 'x64' && process.arch !== 'arm64')
    throw new Error(`the processor is ${process.arch}, not x64 or arm64`);
  const receiver = new BatchReceiver(clock, loadSystemCalls(), receiveBufferOctets);
  const { fault, stamps } = probe(receiver, clock);
  receiver.stamps = stamps;
  if (fault === null) return receiver;
  void receiver.close();
  throw new Error(fault);
}

/**
 * A round: all sockets that have something are read into one batch, which is handed over whenever it is full. Between
 * reading and handing over nothing else is done: system calls leave the caches cold, and a packet that is handled
 * between two of them costs several times what it costs in a row.
 */
class BatchReceiver implements LinuxReceiver, PortSurroundings {
  readonly calls: SystemCalls;
  readonly memory: CallMemory;
  readonly batch: MessageBatch;
  readonly arrivals: ArrivalClock;
  readonly close: () => Promise<void>;
  stamps = false;
  readonly #ready: ReadySockets;
  readonly #askedOctets: number;
  #grantedOctets = 0;
  /** Asks for receive times as long as the receiver lives: Linux begins with it only a while after the first one asks. */
  readonly #stamping: number;
  /** By slot, which is a socket's token as well. */
  readonly #ports: (LinuxPort | null)[] = [];
  readonly #freeSlots: number[] = [];
  /** Whose each datagram of the batch is. */
  readonly #owners: (LinuxPort | null)[] = new Array(BATCH_MESSAGES).fill(null);
  /** Ports whose last read left something behind. */
  #unfinished: LinuxPort[] = [];
  #unfinishedBefore: LinuxPort[] = [];
  /** A round is running: another would overwrite its memory. */
  #reading = false;
  #closed = false;
  #continuation: NodeJS.Immediate | undefined;
  readonly #continue = (): void => {
    this.#continuation = undefined;
    this.handOver();
  };

  constructor(clock: Clock, calls: SystemCalls, receiveBufferOctets: number) {
    this.calls = calls;
    this.#askedOctets = receiveBufferOctets;
    this.memory = new CallMemory(calls);
    this.batch = new MessageBatch(calls);
    this.arrivals = new ArrivalClock(clock, () => {
      calls.readWallClock(this.memory.timeAt);
      return this.memory.timeMs;
    });
    this.#ready = new ReadySockets(calls, this.memory);
    this.#stamping = openStampingSocket(calls, this.memory, AF_INET);
    this.close = closeOnce(async () => {
      this.#closed = true;
      clearImmediate(this.#continuation);
      await Promise.all(this.#ports.map((port) => port?.close()));
      this.#ready.close();
      releaseDescriptor(this.#stamping);
    });
  }

  async open(address: string, port: number, sink: DatagramSink, sharing?: PortSharing): Promise<LinuxReceiverPort> {
    return this.openNow(address, port, sink, sharing);
  }

  openNow(address: string, port: number, sink: DatagramSink, sharing: PortSharing = 'exclusive'): LinuxReceiverPort {
    if (this.#closed) throw new SocketError('epoll_ctl', EBADF);
    const socket = openUdpSocket(this.calls, this.memory, address, port, sharing, this.#askedOctets);
    this.#grantedOctets = socket.receiveBufferOctets;
    const slot = this.#freeSlots.pop() ?? this.#ports.length;
    const result = this.#ready.add(socket.descriptor, slot);
    if (result < 0) {
      releaseDescriptor(socket.descriptor);
      if (slot < this.#ports.length) this.#freeSlots.push(slot);
      throw new SocketError('epoll_ctl', result);
    }
    const opened = new LinuxPort(this, slot, socket, sink);
    this.#ports[slot] = opened;
    return opened;
  }

  get receiveBufferOctets(): number {
    return this.#grantedOctets;
  }

  /** Each port asks the kernel itself. */
  async readKernelDrops(): Promise<void> {}

  portClosed(port: LinuxPort): void {
    this.#ports[port.slot] = null;
    this.#freeSlots.push(port.slot);
  }

  handOver(): void {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.batch.clear();
    try {
      this.arrivals.beginRound();
      if (this.#readAll()) this.arrivals.completeRound();
      else if (!this.#closed) this.#continuation ??= setImmediate(this.#continue);
    } finally {
      this.#reading = false;
    }
  }

  /** @returns whether all sockets were empty in the end */
  #readAll(): boolean {
    const untilMs = performance.now() + MAX_ROUND_MS;
    let ready: number;
    do {
      this.#fetchUnfinished();
      ready = this.#fetchReady();
    } while ((ready === MAX_READY || this.#unfinished.length > 0) && !this.#closed && performance.now() < untilMs);
    this.#deliver();
    return ready < MAX_READY && this.#unfinished.length === 0;
  }

  #fetchUnfinished(): void {
    const ports = this.#unfinished;
    this.#unfinished = this.#unfinishedBefore;
    this.#unfinishedBefore = ports;
    for (let i = 0; i < ports.length; i++) {
      const port = ports[i]!;
      port.unfinished = false;
      this.#fetch(port);
    }
    ports.length = 0;
  }

  #fetchReady(): number {
    const count = this.#ready.poll();
    for (let i = 0; i < count && !this.#closed; i++) {
      // Handing over may have closed it, and its slot may be another's by now: that one is read for nothing.
      const port = this.#ports[this.#ready.tokenOf(i)];
      if (port) this.#fetch(port);
    }
    return count;
  }

  #fetch(port: LinuxPort): void {
    if (this.batch.full) this.#deliver();
    if (port.descriptor < 0) return;
    const first = this.batch.length;
    const count = this.batch.fetch(port.descriptor);
    for (let i = 0; i < count; i++) this.#owners[first + i] = port;
    // A shorter batch ended with the kernel's EAGAIN, so the next datagram is reported again.
    if (count < MAX_FETCHED || port.unfinished) return;
    port.unfinished = true;
    this.#unfinished.push(port);
  }

  #deliver(): void {
    for (let i = 0; i < this.batch.length; i++) {
      this.#owners[i]!.deliver(i);
      this.#owners[i] = null;
    }
    this.batch.clear();
  }
}
