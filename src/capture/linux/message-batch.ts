// The memory that all sockets of a receiver are read into: datagrams, and what recvmmsg needs around them.
import { timespecMs } from './call-memory.ts';
import { IOVEC, MMSGHDR, SO_TIMESTAMPNS, SOCKADDR_IN6, STAMP_MESSAGE } from './layouts.ts';
import { SOCKET_ADDRESS_ROOM } from './socket-address.ts';
import type { Pointer, SystemCalls } from './system-calls.ts';

/** Datagrams that the memory holds. */
export const BATCH_MESSAGES = 256;
/** Datagrams that one call fetches at most. */
export const MAX_FETCHED = 32;

/** No datagram is longer, so none is ever cut. Pages that no long datagram has touched take no memory. */
const SLOT_OCTETS = 65_536;
/** Five cache lines more: slots a power of two apart would push one another out of the cache. */
const SLOT_STRIDE = SLOT_OCTETS + 5 * 64;
/** Room for control messages: twice what the one takes that is asked for. */
const CONTROL_ROOM = 64;

/**
 *   headers (mmsghdr) │ iovecs │ names (socket addresses) │ control messages │ slots
 *
 * Header i points at iovec, name and control message i, iovec i at slot i.
 */
const HEADERS = 0;
const IOVECS = HEADERS + BATCH_MESSAGES * MMSGHDR.octets;
const NAMES = IOVECS + BATCH_MESSAGES * IOVEC.octets;
const CONTROLS = NAMES + BATCH_MESSAGES * SOCKET_ADDRESS_ROOM;
const SLOTS = CONTROLS + BATCH_MESSAGES * CONTROL_ROOM;
/** One cache line to spare, for aligning. */
const OCTETS = SLOTS + 64 + BATCH_MESSAGES * SLOT_STRIDE;

export class MessageBatch {
  /** Everything, in octets and in words: offsets count from its beginning. */
  readonly octets: Buffer;
  readonly words: Int32Array;
  readonly #calls: SystemCalls;
  readonly #base: Pointer;
  /** By the number of the first header. */
  readonly #headersAt: Pointer[] = [];
  readonly #slots: number;
  #length = 0;

  constructor(calls: SystemCalls) {
    const memory = new ArrayBuffer(OCTETS);
    this.octets = Buffer.from(memory);
    this.words = new Int32Array(memory);
    this.#calls = calls;
    this.#base = calls.pointerTo(memory);
    this.#slots = SLOTS + Number(-(this.#base + BigInt(SLOTS)) & 63n);
    for (let i = 0; i < BATCH_MESSAGES; i++) this.#setUp(i);
  }

  /** Datagrams here now. */
  get length(): number {
    return this.#length;
  }

  /** There may be no room for all that one call fetches: to be cleared before the next `fetch`. */
  get full(): boolean {
    return this.#length > BATCH_MESSAGES - MAX_FETCHED;
  }

  /** Reads the socket. @returns how many datagrams were added; 0 or a negative error number if none */
  fetch(descriptor: number): number {
    const count = this.#calls.receive(descriptor, this.#headersAt[this.#length]!, MAX_FETCHED);
    if (count > 0) this.#length += count;
    return count;
  }

  clear(): void {
    for (let i = 0; i < this.#length; i++) this.#giveRoom(i);
    this.#length = 0;
  }

  /** Where datagram i begins. */
  startOf(i: number): number {
    return this.#slots + i * SLOT_STRIDE;
  }

  /** Behind its last octet. */
  endOf(i: number): number {
    return this.#slots + i * SLOT_STRIDE + this.words[(HEADERS + i * MMSGHDR.octets + MMSGHDR.messageLength) >>> 2]!;
  }

  /** Where its sender's socket address begins. */
  nameOf(i: number): number {
    return NAMES + i * SOCKET_ADDRESS_ROOM;
  }

  /** When the kernel received datagram i: Unix ms with a fraction by the wall clock, -1 if it did not say. */
  stampOf(i: number): number {
    const words = this.words;
    const control = (CONTROLS + i * CONTROL_ROOM) >>> 2;
    const octets = words[(HEADERS + i * MMSGHDR.octets + MMSGHDR.controlLength) >>> 2]!;
    if (octets < STAMP_MESSAGE.octets || words[control + STAMP_MESSAGE.type / 4] !== SO_TIMESTAMPNS) return -1;
    return timespecMs(words, control + STAMP_MESSAGE.seconds / 4);
  }

  #setUp(i: number): void {
    const header = HEADERS + i * MMSGHDR.octets;
    this.#headersAt.push(this.#base + BigInt(header));
    const iovec = IOVECS + i * IOVEC.octets;
    this.#setPointer(header + MMSGHDR.name, NAMES + i * SOCKET_ADDRESS_ROOM);
    this.#setPointer(header + MMSGHDR.iovecs, iovec);
    this.words[(header + MMSGHDR.iovecCount) >>> 2] = 1;
    this.#setPointer(header + MMSGHDR.control, CONTROLS + i * CONTROL_ROOM);
    this.#giveRoom(i);
    this.#setPointer(iovec + IOVEC.base, this.startOf(i));
    this.words[(iovec + IOVEC.length) >>> 2] = SLOT_OCTETS;
  }

  /** The kernel has written how much it took where it is to read how much it may take. */
  #giveRoom(i: number): void {
    const header = HEADERS + i * MMSGHDR.octets;
    this.words[(header + MMSGHDR.nameLength) >>> 2] = SOCKADDR_IN6.octets;
    this.words[(header + MMSGHDR.controlLength) >>> 2] = CONTROL_ROOM;
  }

  #setPointer(at: number, target: number): void {
    this.octets.writeBigUInt64LE(this.#base + BigInt(target), at);
  }
}
