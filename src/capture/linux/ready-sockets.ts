// Which sockets have something to read: an epoll instance, edge-triggered (epoll(7)).
import type { CallMemory } from './call-memory.ts';
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLET, EPOLLIN } from './layouts.ts';
import { ownDescriptor, releaseDescriptor } from './owned-descriptor.ts';
import { SocketError } from './socket-error.ts';
import type { Pointer, SystemCalls } from './system-calls.ts';

/** Sockets that one call reports at most. */
export const MAX_READY = 128;

export class ReadySockets {
  readonly #calls: SystemCalls;
  readonly #memory: CallMemory;
  readonly #descriptor: number;
  readonly #events = new Int32Array(new ArrayBuffer(MAX_READY * EPOLL_EVENT.octets));
  readonly #eventsAt: Pointer;

  /** Throws with the system's code. */
  constructor(calls: SystemCalls, memory: CallMemory) {
    const made = calls.epollCreate(EPOLL_CLOEXEC);
    const descriptor = made < 0 ? made : ownDescriptor(calls, made);
    if (descriptor < 0) throw new SocketError('epoll_create1', descriptor);
    this.#calls = calls;
    this.#memory = memory;
    this.#descriptor = descriptor;
    this.#eventsAt = calls.pointerTo(this.#events.buffer);
  }

  /** Closing the socket takes it out again. @returns 0 or a negative error number, e.g. -ENOSPC */
  add(descriptor: number, token: number): number {
    this.#memory.setEvent(EPOLLIN | EPOLLET, token);
    return this.#calls.epollControl(this.#descriptor, EPOLL_CTL_ADD, descriptor, this.#memory.eventAt);
  }

  /**
   * How many sockets have received something since they were last reported: at most MAX_READY, the others come with the
   * next calls. Whoever is reported and is not read until empty is not reported again for what is left.
   */
  poll(): number {
    return this.#calls.epollPoll(this.#descriptor, this.#eventsAt, MAX_READY);
  }

  tokenOf(i: number): number {
    return this.#events[(i * EPOLL_EVENT.octets + EPOLL_EVENT.token) >>> 2]!;
  }

  close(): void {
    releaseDescriptor(this.#descriptor);
  }
}
