// Makes a bound UDP socket that stamps what it receives and never blocks.
import { isIPv6 } from 'node:net';
import { formatHostPort } from '../../journal/ip-address.ts';
import type { PortSharing } from '../receiver.ts';
import type { CallMemory } from './call-memory.ts';
import {
  AF_INET,
  AF_INET6,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_TIMESTAMPNS,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from './layouts.ts';
import { ownDescriptor, releaseDescriptor } from './owned-descriptor.ts';
import { type AddressFamily, SOCKET_ADDRESS_ROOM } from './socket-address.ts';
import { SocketError } from './socket-error.ts';
import type { SystemCalls } from './system-calls.ts';

const EINVAL = -22;

export interface UdpSocket {
  descriptor: number;
  family: AddressFamily;
  /** The one that was bound, also where 0 was asked for. */
  port: number;
  /** As granted. */
  receiveBufferOctets: number;
}

/** @throws SocketError with the system's code, e.g. EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE; EINVAL if `address` is no IP address */
export function openUdpSocket(
  calls: SystemCalls,
  memory: CallMemory,
  address: string,
  port: number,
  sharing: PortSharing,
  receiveBufferOctets: number,
): UdpSocket {
  const family = isIPv6(address) ? AF_INET6 : AF_INET;
  const where = formatHostPort(address, port);
  const descriptor = openStampingSocket(calls, memory, family, where);
  try {
    memory.value = receiveBufferOctets;
    // The kernel grants what it may; nothing depends on all of it.
    if (calls.setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, memory.valueAt, 4) < 0)
      calls.setOption(descriptor, SOL_SOCKET, SO_RCVBUF, memory.valueAt, 4);
    memory.length = 4;
    calls.getOption(descriptor, SOL_SOCKET, SO_RCVBUF, memory.valueAt, memory.lengthAt);
    const granted = memory.valueWord(0);
    memory.value = 1;
    if (sharing === 'reuse-address')
      check('setsockopt', where, calls.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, memory.valueAt, 4));
    const addressOctets = memory.setAddress(family, address, port);
    check('bind', where, addressOctets > 0 ? calls.bind(descriptor, memory.addressAt, addressOctets) : EINVAL);
    memory.length = SOCKET_ADDRESS_ROOM;
    check('getsockname', where, calls.socketName(descriptor, memory.addressAt, memory.lengthAt));
    return { descriptor, family, port: memory.port, receiveBufferOctets: granted };
  } catch (error) {
    releaseDescriptor(descriptor);
    throw error;
  }
}

/**
 * A socket that is not bound yet. Linux stamps datagrams while any socket asks for it.
 * @returns its descriptor, to be released by the caller
 * @throws SocketError
 */
export function openStampingSocket(
  calls: SystemCalls,
  memory: CallMemory,
  family: AddressFamily,
  where?: string,
): number {
  const made = check('socket', where, calls.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC));
  const descriptor = check('open', where, ownDescriptor(calls, made));
  memory.value = 1;
  const result = calls.setOption(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, memory.valueAt, 4);
  if (result >= 0) return descriptor;
  releaseDescriptor(descriptor);
  throw new SocketError('setsockopt', result, where);
}

function check(syscall: string, where: string | undefined, result: number): number {
  if (result < 0) throw new SocketError(syscall, result, where);
  return result;
}
