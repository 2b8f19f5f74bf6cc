// One open port of the Linux receiver: what it takes to read its socket and to hand the datagrams to its sink.
import { closeOnce } from '../../lib/close.ts';
import type { DatagramSink, ReceiverPort } from '../receiver.ts';
import type { ArrivalClock } from './arrival-clock.ts';
import type { CallMemory } from './call-memory.ts';
import { AF_INET6, MEMORY_INFORMATION, SO_MEMINFO, SOL_SOCKET } from './layouts.ts';
import type { MessageBatch } from './message-batch.ts';
import { releaseDescriptor } from './owned-descriptor.ts';
import { Senders } from './senders.ts';
import type { AddressFamily } from './socket-address.ts';
import type { SystemCalls } from './system-calls.ts';
import type { UdpSocket } from './udp-socket.ts';

/** What the ports of one receiver share. */
export interface PortSurroundings {
  readonly calls: SystemCalls;
  readonly memory: CallMemory;
  readonly batch: MessageBatch;
  readonly arrivals: ArrivalClock;
  portClosed(port: LinuxPort): void;
}

export interface LinuxReceiverPort extends ReceiverPort {
  /** As of now, once more after closing. */
  readonly kernelDrops: number;
}

export class LinuxPort implements LinuxReceiverPort {
  readonly port: number;
  /** Negative once closed. */
  descriptor: number;
  /** Where the receiver keeps this port. */
  readonly slot: number;
  /** For the receiver's use: stands in its list of ports to go on with. */
  unfinished = false;
  readonly close: () => Promise<void>;
  readonly #surroundings: PortSurroundings;
  readonly #batch: MessageBatch;
  readonly #arrivals: ArrivalClock;
  readonly #family: AddressFamily;
  readonly #sink: DatagramSink;
  readonly #senders: Senders;
  #finalDrops = 0;

  constructor(
    surroundings: PortSurroundings,
    slot: number,
    { descriptor, family, port }: UdpSocket,
    sink: DatagramSink,
  ) {
    this.#surroundings = surroundings;
    this.#batch = surroundings.batch;
    this.#arrivals = surroundings.arrivals;
    this.#family = family;
    this.#sink = sink;
    this.#senders = new Senders(family === AF_INET6);
    this.slot = slot;
    this.descriptor = descriptor;
    this.port = port;
    this.close = closeOnce(() => {
      this.#finalDrops = this.kernelDrops;
      this.descriptor = -1;
      releaseDescriptor(descriptor);
      surroundings.portClosed(this);
    });
  }

  /** Hands datagram i of the batch to the sink. One that came before the port was closed is discarded afterwards. */
  deliver(i: number): void {
    if (this.descriptor < 0) return;
    const batch = this.#batch;
    const arrivalMs = this.#arrivals.arrivalMs(batch.stampOf(i));
    const source = this.#senders.at(batch.octets, batch.words, batch.nameOf(i));
    this.#sink.datagram(batch.octets, batch.startOf(i), batch.endOf(i), source, arrivalMs);
  }

  get kernelDrops(): number {
    if (this.descriptor < 0) return this.#finalDrops;
    const { calls, memory } = this.#surroundings;
    memory.length = MEMORY_INFORMATION.octets;
    const result = calls.getOption(this.descriptor, SOL_SOCKET, SO_MEMINFO, memory.valueAt, memory.lengthAt);
    return result < 0 ? 0 : memory.valueWord(MEMORY_INFORMATION.drops);
  }

  send(octets: Uint8Array, host: string, port: number): void {
    if (this.descriptor < 0) return;
    const { calls, memory } = this.#surroundings;
    const addressOctets = memory.setAddress(this.#family, host, port);
    if (addressOctets > 0) calls.send(this.descriptor, octets, memory.addressAt, addressOctets);
  }
}
