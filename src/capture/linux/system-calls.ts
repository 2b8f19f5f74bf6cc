// The system calls that the receiver makes, through koffi. The only file that knows koffi.
import { createRequire } from 'node:module';

/** An address. A bigint that is made once and passed often costs no memory, as large numbers do at every call. */
export type Pointer = bigint;

/**
 * Every call returns what the kernel would: a result of 0 or more, or a negative error number (`-EAGAIN`), which is also
 * Node's `errno`. Nothing is thrown. Whoever passes a pointer answers for the memory behind it.
 */
export interface SystemCalls {
  /** Where the memory lies; it must not be resizable. Good for as long as the buffer is referenced and not transferred. */
  pointerTo(memory: ArrayBuffer): Pointer;
  socket(family: number, type: number): number;
  /** Makes `target` another name of `descriptor`, closing what it was before. */
  duplicateOnto(descriptor: number, target: number, flags: number): number;
  /** Only for descriptors that Node does not know. */
  close(descriptor: number): number;
  bind(descriptor: number, socketAddress: Pointer, octets: number): number;
  /** `octets` points at the room for the address and is overwritten with its length. */
  socketName(descriptor: number, socketAddress: Pointer, octets: Pointer): number;
  setOption(descriptor: number, level: number, option: number, value: Pointer, octets: number): number;
  /** `octets` points at the room for the value and is overwritten with its length. */
  getOption(descriptor: number, level: number, option: number, value: Pointer, octets: Pointer): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, descriptor: number, event: Pointer): number;
  /** How many events were written; never waits. */
  epollPoll(epoll: number, events: Pointer, maxEvents: number): number;
  /** How many of the `count` headers at `headers` were filled; never waits. */
  receive(descriptor: number, headers: Pointer, count: number): number;
  send(descriptor: number, octets: Uint8Array, socketAddress: Pointer, addressOctets: number): number;
  /** Fills a timespec with CLOCK_REALTIME. */
  readWallClock(timespec: Pointer): number;
}

type Koffi = typeof import('koffi');
type NativeFunction = (...values: (number | Pointer | Uint8Array | null)[]) => number;

const MSG_DONTWAIT = 0x40;
const CLOCK_REALTIME = 0;

/** Throws if koffi or one of the functions cannot be had here. */
export function loadSystemCalls(): SystemCalls {
  // Not imported at the top: where koffi has no binary the import itself fails, and there the portable receiver serves.
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  // The process itself: its C library under whichever name.
  const library = koffi.load(null);
  const native = (name: string, ...parameters: string[]): NativeFunction => {
    const call = library.func(name, 'int', parameters) as NativeFunction;
    return call;
  };
  const socket = native('socket', 'int', 'int', 'int');
  const dup3 = native('dup3', 'int', 'int', 'int');
  const close = native('close', 'int');
  const bind = native('bind', 'int', 'void *', 'uint');
  const getsockname = native('getsockname', 'int', 'void *', 'void *');
  const setsockopt = native('setsockopt', 'int', 'int', 'int', 'void *', 'uint');
  const getsockopt = native('getsockopt', 'int', 'int', 'int', 'void *', 'void *');
  const epollCreate1 = native('epoll_create1', 'int');
  const epollCtl = native('epoll_ctl', 'int', 'int', 'int', 'void *');
  const epollWait = native('epoll_wait', 'int', 'void *', 'int', 'int');
  const recvmmsg = native('recvmmsg', 'int', 'void *', 'uint', 'int', 'void *');
  const sendto = native('sendto', 'int', 'const void *', 'size_t', 'int', 'void *', 'uint');
  const clockGettime = native('clock_gettime', 'int', 'void *');
  const result = (returned: number): number => (returned < 0 ? -koffi.errno() : returned);
  return {
    pointerTo: (memory) => koffi.address(memory),
    socket: (family, type) => result(socket(family, type, 0)),
    duplicateOnto: (descriptor, target, flags) => result(dup3(descriptor, target, flags)),
    close: (descriptor) => result(close(descriptor)),
    bind: (descriptor, socketAddress, octets) => result(bind(descriptor, socketAddress, octets)),
    socketName: (descriptor, socketAddress, octets) => result(getsockname(descriptor, socketAddress, octets)),
    setOption: (descriptor, level, option, value, octets) =>
      result(setsockopt(descriptor, level, option, value, octets)),
    getOption: (descriptor, level, option, value, octets) =>
      result(getsockopt(descriptor, level, option, value, octets)),
    epollCreate: (flags) => result(epollCreate1(flags)),
    epollControl: (epoll, operation, descriptor, event) => result(epollCtl(epoll, operation, descriptor, event)),
    epollPoll: (epoll, events, maxEvents) => result(epollWait(epoll, events, maxEvents, 0)),
    receive: (descriptor, headers, count) => result(recvmmsg(descriptor, headers, count, MSG_DONTWAIT, null)),
    send: (descriptor, octets, socketAddress, addressOctets) =>
      result(sendto(descriptor, octets, octets.length, MSG_DONTWAIT, socketAddress, addressOctets)),
    readWallClock: (timespec) => result(clockGettime(CLOCK_REALTIME, timespec)),
  };
}
