// The calls and the layouts that go with them, field by field, through real sockets.
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { linuxReceiverAvailable } from '../../../src/capture/linux/availability.ts';
import { CallMemory } from '../../../src/capture/linux/call-memory.ts';
import {
  EPOLLET,
  EPOLLIN,
  MEMORY_INFORMATION,
  SO_MEMINFO,
  SO_RCVBUF,
  SOL_SOCKET,
} from '../../../src/capture/linux/layouts.ts';
import { BATCH_MESSAGES, MAX_FETCHED, MessageBatch } from '../../../src/capture/linux/message-batch.ts';
import { releaseDescriptor } from '../../../src/capture/linux/owned-descriptor.ts';
import { MAX_READY, ReadySockets } from '../../../src/capture/linux/ready-sockets.ts';
import { readHost, readPort } from '../../../src/capture/linux/socket-address.ts';
import { loadSystemCalls } from '../../../src/capture/linux/system-calls.ts';
import { openUdpSocket } from '../../../src/capture/linux/udp-socket.ts';
import { descriptors } from '../receiver-suite.ts';

const { available } = linuxReceiverAvailable();

describe.skipIf(!available)('system calls', () => {
  const calls = loadSystemCalls();
  const memory = new CallMemory(calls);
  const { EBADF, EAGAIN, EINVAL } = constants.errno;

  function withSockets(address: string, use: (from: number, to: { descriptor: number; port: number }) => void): void {
    const from = openUdpSocket(calls, memory, address, 0, 'exclusive', 1 << 19);
    const to = openUdpSocket(calls, memory, address, 0, 'exclusive', 1 << 19);
    try {
      use(from.descriptor, to);
    } finally {
      releaseDescriptor(from.descriptor);
      releaseDescriptor(to.descriptor);
    }
  }

  function send(from: number, octets: Uint8Array, host: string, port: number): number {
    const length = memory.setAddress(host.includes(':') ? 10 : 2, host, port);
    return calls.send(from, octets, memory.addressAt, length);
  }

  test('failures are negative error numbers', () => {
    expect(calls.close(-1)).toBe(-EBADF);
    expect(calls.bind(-1, memory.addressAt, 16)).toBe(-EBADF);
    expect(calls.socketName(-1, memory.addressAt, memory.lengthAt)).toBe(-EBADF);
    expect(calls.setOption(-1, SOL_SOCKET, SO_RCVBUF, memory.valueAt, 4)).toBe(-EBADF);
    expect(calls.getOption(-1, SOL_SOCKET, SO_RCVBUF, memory.valueAt, memory.lengthAt)).toBe(-EBADF);
    expect(calls.epollControl(-1, 1, -1, memory.eventAt)).toBe(-EBADF);
    expect(calls.epollPoll(-1, memory.eventAt, 1)).toBe(-EBADF);
    expect(calls.epollCreate(12345)).toBe(-EINVAL);
    expect(calls.duplicateOnto(-1, 5000, 0)).toBe(-EBADF);
    expect(calls.send(-1, Buffer.from('x'), memory.addressAt, 16)).toBe(-EBADF);
    expect(new MessageBatch(calls).fetch(-1)).toBe(-EBADF);
  });

  test('an empty socket is EAGAIN and leaves the batch as it was', () => {
    withSockets('127.0.0.1', (_, { descriptor }) => {
      const batch = new MessageBatch(calls);
      expect(batch.fetch(descriptor)).toBe(-EAGAIN);
      expect(batch.length).toBe(0);
    });
  });

  test.each(['127.0.0.1', '::1'])('%s: every header of the batch has its own address, time and octets', (host) => {
    withSockets(host, (from, to) => {
      const batch = new MessageBatch(calls);
      for (let turn = 0; turn < 2; turn++) {
        for (let first = 0; first < BATCH_MESSAGES; first += MAX_FETCHED) {
          calls.readWallClock(memory.timeAt);
          const beforeMs = memory.timeMs;
          for (let i = first; i < first + MAX_FETCHED; i++) send(from, Buffer.alloc(i, i + turn), host, to.port);
          expect(batch.full).toBe(false);
          expect(batch.fetch(to.descriptor)).toBe(MAX_FETCHED);
          calls.readWallClock(memory.timeAt);
          for (let i = first; i < first + MAX_FETCHED; i++) {
            expect(batch.stampOf(i)).toBeGreaterThanOrEqual(beforeMs - 0.01);
            expect(batch.stampOf(i)).toBeLessThanOrEqual(memory.timeMs);
          }
        }
        expect(batch.length).toBe(BATCH_MESSAGES);
        expect(batch.full).toBe(true);
        for (let i = 0; i < BATCH_MESSAGES; i++) {
          const octets = batch.octets.subarray(batch.startOf(i), batch.endOf(i));
          expect(octets.equals(Buffer.alloc(i, i + turn))).toBe(true);
          expect(readHost(batch.octets, batch.nameOf(i))).toBe(host);
          expect(readPort(batch.octets, batch.nameOf(i))).toBeGreaterThan(0);
        }
        batch.clear();
        expect(batch.length).toBe(0);
      }
    });
  });

  test('the wall clock is the one that Date reads', () => {
    const beforeMs = Date.now();
    calls.readWallClock(memory.timeAt);
    expect(memory.timeMs).toBeGreaterThanOrEqual(beforeMs);
    expect(memory.timeMs).toBeLessThan(Date.now() + 1);
  });

  test('options are set and fetched', () => {
    withSockets('127.0.0.1', (_, { descriptor }) => {
      memory.value = 40_000;
      expect(calls.setOption(descriptor, SOL_SOCKET, SO_RCVBUF, memory.valueAt, 4)).toBe(0);
      memory.value = 0;
      memory.length = 4;
      expect(calls.getOption(descriptor, SOL_SOCKET, SO_RCVBUF, memory.valueAt, memory.lengthAt)).toBe(0);
      // The kernel doubles it (socket(7)).
      expect(memory.valueWord(0)).toBe(80_000);
      memory.length = MEMORY_INFORMATION.octets;
      expect(calls.getOption(descriptor, SOL_SOCKET, SO_MEMINFO, memory.valueAt, memory.lengthAt)).toBe(0);
      // Its second word is the receive buffer (sock_diag(7)).
      expect(memory.valueWord(4)).toBe(80_000);
      expect(memory.valueWord(MEMORY_INFORMATION.drops)).toBe(0);
    });
  });

  test('epoll reports the token of each socket once for what came, and of no other', () => {
    const sockets = Array.from({ length: MAX_READY + 40 }, () =>
      openUdpSocket(calls, memory, '127.0.0.1', 0, 'exclusive', 1 << 19),
    );
    const ready = new ReadySockets(calls, memory);
    for (const [i, { descriptor }] of sockets.entries()) expect(ready.add(descriptor, 1_000_000 + i)).toBe(0);
    expect(ready.poll()).toBe(0);
    for (const { port } of sockets.slice(1)) send(sockets[0]!.descriptor, Buffer.from('x'), '127.0.0.1', port);
    const reported: number[] = [];
    for (const expected of [MAX_READY, 39, 0]) {
      const count = ready.poll();
      expect(count).toBe(expected);
      for (let i = 0; i < count; i++) reported.push(ready.tokenOf(i));
    }
    expect(reported.toSorted((a, b) => a - b)).toEqual(sockets.slice(1).map((_, i) => 1_000_001 + i));
    send(sockets[0]!.descriptor, Buffer.from('x'), '127.0.0.1', sockets[7]!.port);
    expect(ready.poll()).toBe(1);
    expect(ready.tokenOf(0)).toBe(1_000_007);
    releaseDescriptor(sockets[7]!.descriptor);
    send(sockets[0]!.descriptor, Buffer.from('x'), '127.0.0.1', sockets[7]!.port);
    expect(ready.poll()).toBe(0);
    expect(ready.add(sockets[0]!.descriptor, 1)).toBe(-constants.errno.EEXIST);
    for (const [i, { descriptor }] of sockets.entries()) if (i !== 7) releaseDescriptor(descriptor);
    ready.close();
    expect(EPOLLIN | EPOLLET).toBe(-0x7fffffff);
  });

  test('no descriptor is left when a socket cannot be had', () => {
    const before = descriptors();
    expect(() => openUdpSocket(calls, memory, '192.0.2.1', 5004, 'exclusive', 1 << 19)).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL', errno: -constants.errno.EADDRNOTAVAIL, syscall: 'bind' }),
    );
    expect(descriptors()).toBe(before);
  });
});
