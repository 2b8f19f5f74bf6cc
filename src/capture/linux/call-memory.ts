// Memory for the small things that system calls take and give: an address, an option's value, a length, a time, an event.
import { EPOLL_EVENT, MEMORY_INFORMATION, TIMESPEC } from './layouts.ts';
import { type AddressFamily, readPort, SOCKET_ADDRESS_ROOM, writeSocketAddress } from './socket-address.ts';
import type { Pointer, SystemCalls } from './system-calls.ts';

const ADDRESS = 0;
const LENGTH = ADDRESS + SOCKET_ADDRESS_ROOM;
const VALUE = LENGTH + 8;
const TIME = (VALUE + MEMORY_INFORMATION.octets + 7) & ~7;
const EVENT = TIME + TIMESPEC.octets;
const OCTETS = EVENT + EPOLL_EVENT.octets;

/** Everything in it is free again after the call that it was filled for. The `…At` are pointers, for the calls. */
export class CallMemory {
  readonly addressAt: Pointer;
  readonly lengthAt: Pointer;
  readonly valueAt: Pointer;
  readonly timeAt: Pointer;
  readonly eventAt: Pointer;
  readonly #octets: Uint8Array;
  readonly #words: Int32Array;

  constructor(calls: SystemCalls) {
    const memory = new ArrayBuffer((OCTETS + 7) & ~7);
    this.#octets = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    const base = calls.pointerTo(memory);
    this.addressAt = base + BigInt(ADDRESS);
    this.lengthAt = base + BigInt(LENGTH);
    this.valueAt = base + BigInt(VALUE);
    this.timeAt = base + BigInt(TIME);
    this.eventAt = base + BigInt(EVENT);
  }

  /** @returns the address's octets, 0 if `host` is no IP address of that family */
  setAddress(family: AddressFamily, host: string, port: number): number {
    return writeSocketAddress(this.#octets, ADDRESS, family, host, port);
  }

  get port(): number {
    return readPort(this.#octets, ADDRESS);
  }

  set length(octets: number) {
    this.#words[LENGTH >>> 2] = octets;
  }

  set value(value: number) {
    this.#words[VALUE >>> 2] = value;
  }

  /** The 32-bit word `at` octets into the value. */
  valueWord(at: number): number {
    return this.#words[(VALUE + at) >>> 2]! >>> 0;
  }

  setEvent(events: number, token: number): void {
    this.#words[(EVENT + EPOLL_EVENT.events) >>> 2] = events;
    this.#words[(EVENT + EPOLL_EVENT.token) >>> 2] = token;
    this.#words[(EVENT + EPOLL_EVENT.token + 4) >>> 2] = 0;
  }

  /** The time in ms with a fraction. */
  get timeMs(): number {
    return timespecMs(this.#words, TIME >>> 2);
  }
}

/** The timespec that begins at `word`, in ms. The upper half of the seconds is not looked at: it is zero until 2106. */
export function timespecMs(words: Int32Array, word: number): number {
  return (words[word]! >>> 0) * 1000 + words[word + TIMESPEC.nanoseconds / 4]! / 1e6;
}
