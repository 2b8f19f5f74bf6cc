// Receiver over node:dgram: works everywhere. Arrival is when this thread reads the datagram; the kernel's time is not offered.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { KernelDrops, socketName } from './kernel-drops.ts';
import { RECEIVE_BUFFER_OCTETS } from './receive-buffer.ts';
import type { DatagramReceiver, DatagramSink, DatagramSource, PortSharing, ReceiverPort } from './receiver.ts';

/** Senders remembered per port. */
const MAX_SOURCES = 16;
/** Datagrams gathered before they are handed over in any case. */
const MAX_GATHERED = 8192;

/**
 * Gathers datagrams and hands them over port by port. Between two datagrams lies a system call, and the next one is
 * another stream's: handled one by one, a packet finds nothing that it needs in the cache, and costs its sink ten times
 * what it costs behind others of the same stream.
 */
export class DgramReceiver implements DatagramReceiver {
  readonly #clock: Clock;
  readonly #receiveBufferOctets: number;
  readonly #gathered = new GatheredDatagrams();
  readonly #kernelDrops: KernelDrops;

  constructor(clock: Clock, receiveBufferOctets = RECEIVE_BUFFER_OCTETS) {
    this.#clock = clock;
    this.#receiveBufferOctets = receiveBufferOctets;
    this.#kernelDrops = new KernelDrops(clock);
  }

  readKernelDrops(): Promise<void> {
    return this.#kernelDrops.refresh();
  }

  handOver(): void {
    this.#gathered.handOver();
  }

  async open(
    address: string,
    port: number,
    sink: DatagramSink,
    sharing: PortSharing = 'exclusive',
  ): Promise<ReceiverPort> {
    const socket = createSocket({
      type: isIPv6(address) ? 'udp6' : 'udp4',
      recvBufferSize: this.#receiveBufferOctets,
      reuseAddr: sharing === 'reuse-address',
    });
    try {
      await bind(socket, address, port);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new DgramPort(socket, sink, this.#clock, this.#gathered, this.#kernelDrops);
  }
}

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/** Datagrams in the order of arrival, in arrays that are filled again and again; per port a list through them. */
class GatheredDatagrams {
  readonly #messages: (Buffer | null)[] = new Array(MAX_GATHERED).fill(null);
  readonly #remotes: (RemoteInfo | null)[] = new Array(MAX_GATHERED).fill(null);
  readonly #arrivalsMs = new Float64Array(MAX_GATHERED);
  /** Behind each datagram the next one of its port, -1 behind the last. */
  readonly #next = new Int32Array(MAX_GATHERED);
  #length = 0;
  #handingOver = false;

  /** Ports by slot, and each one's first and last datagram, -1 for none. */
  readonly #ports: DgramPort[] = [];
  #first = new Int32Array(64).fill(-1);
  #last = new Int32Array(64).fill(-1);
  readonly #freeSlots: number[] = [];
  /** Slots with datagrams, in the order of their first one. */
  readonly #filled: number[] = [];

  register(port: DgramPort): number {
    const slot = this.#freeSlots.pop() ?? this.#ports.length;
    this.#ports[slot] = port;
    if (slot >= this.#first.length) {
      this.#first = doubled(this.#first);
      this.#last = doubled(this.#last);
    }
    return slot;
  }

  /** The port's datagrams have been handed over. */
  unregister(slot: number): void {
    this.#freeSlots.push(slot);
  }

  add(slot: number, message: Buffer, remote: RemoteInfo, arrivalMs: number): void {
    const at = this.#length++;
    this.#messages[at] = message;
    this.#remotes[at] = remote;
    this.#arrivalsMs[at] = arrivalMs;
    this.#next[at] = -1;
    const before = this.#last[slot]!;
    if (before >= 0) {
      this.#next[before] = at;
    } else {
      this.#first[slot] = at;
      this.#filled.push(slot);
    }
    this.#last[slot] = at;
    if (this.#length === MAX_GATHERED) this.handOver();
  }

  handOver(): void {
    // A sink must not have the rest handed over from within its call: the lists are in use.
    if (this.#handingOver) return;
    this.#handingOver = true;
    for (const slot of this.#filled) {
      const port = this.#ports[slot]!;
      for (let at = this.#first[slot]!; at >= 0; at = this.#next[at]!) {
        port.handOver(this.#messages[at]!, this.#remotes[at]!, this.#arrivalsMs[at]!);
        this.#messages[at] = null;
        this.#remotes[at] = null;
      }
      this.#first[slot] = -1;
      this.#last[slot] = -1;
    }
    this.#filled.length = 0;
    this.#length = 0;
    this.#handingOver = false;
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2).fill(-1);
  grown.set(array);
  return grown;
}

class DgramPort implements ReceiverPort {
  readonly port: number;
  readonly close: () => Promise<void>;
  readonly #socket: Socket;
  readonly #sink: DatagramSink;
  readonly #sources: DatagramSource[] = [];
  readonly #kernelDrops: KernelDrops;
  readonly #name: string;
  #last: DatagramSource = { host: '', port: -1 };

  constructor(socket: Socket, sink: DatagramSink, clock: Clock, gathered: GatheredDatagrams, kernelDrops: KernelDrops) {
    this.#socket = socket;
    this.#sink = sink;
    this.#kernelDrops = kernelDrops;
    const { address, port } = socket.address();
    this.port = port;
    this.#name = socketName(address, port);
    kernelDrops.forget(this.#name);
    const slot = gathered.register(this);
    socket.on('message', (message, remote) => gathered.add(slot, message, remote, clock.nowMs()));
    // Errors of single datagrams; the socket goes on.
    socket.on('error', () => {});
    this.close = closeOnce(async () => {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      gathered.handOver();
      gathered.unregister(slot);
    });
  }

  get kernelDrops(): number | null {
    return this.#kernelDrops.of(this.#name);
  }

  send(octets: Uint8Array, host: string, port: number): void {
    try {
      this.#socket.send(octets, port, host, () => {});
    } catch {
      // Closed meanwhile, or an address of the other family.
    }
  }

  handOver(message: Buffer, remote: RemoteInfo, arrivalMs: number): void {
    let source = this.#last;
    if (source.port !== remote.port || source.host !== remote.address) source = this.#recall(remote);
    this.#sink.datagram(message, 0, message.length, source, arrivalMs);
  }

  #recall(remote: RemoteInfo): DatagramSource {
    let source = this.#sources.find(({ host, port }) => port === remote.port && host === remote.address);
    if (!source) {
      source = { host: remote.address, port: remote.port };
      if (this.#sources.length >= MAX_SOURCES) this.#sources.shift();
      this.#sources.push(source);
    }
    this.#last = source;
    return source;
  }
}
