import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { linuxReceiverAvailable } from '../../../src/capture/linux/availability.ts';
import { createLinuxReceiver, type LinuxReceiver } from '../../../src/capture/linux/linux-receiver.ts';
import { probe } from '../../../src/capture/linux/probe.ts';
import type { DatagramSink } from '../../../src/capture/receiver.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { descriptors } from '../receiver-suite.ts';

describe('availability', () => {
  test.skipIf(process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))(
    'on Linux with koffi it is there, and asking leaves no descriptor',
    async () => {
      const before = descriptors();
      const there = { available: true, receiveBufferOctets: expect.any(Number), stamps: expect.any(Boolean) };
      expect(linuxReceiverAvailable()).toEqual(there);
      expect(linuxReceiverAvailable()).toEqual(there);
      const receiver = createLinuxReceiver(systemClock);
      await receiver.close();
      expect(descriptors()).toBe(before);
    },
  );

  test('another system, another processor, no koffi: the reason is told, nothing is thrown', () => {
    const availability = fileURLToPath(new URL('../../../src/capture/linux/availability.ts', import.meta.url));
    const told = (prelude: string): unknown => {
      const script = `${prelude}; const { linuxReceiverAvailable } = await import(${JSON.stringify(availability)});
        console.log(JSON.stringify(linuxReceiverAvailable()))`;
      return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString());
    };
    expect(told("Object.defineProperty(process, 'platform', { value: 'darwin' })")).toEqual({
      available: false,
      reason: 'this is darwin, not Linux',
    });
    expect(told("Object.defineProperty(process, 'arch', { value: 's390x' })")).toEqual({
      available: false,
      reason: expect.stringMatching(/^(the processor is s390x, not x64 or arm64|this is .*)$/),
    });
    const withoutKoffi = `import { Module } from 'node:module';
      const load = Module._load;
      Module._load = (name, ...rest) => { if (name === 'koffi') throw new Error('no koffi here'); return load(name, ...rest); }`;
    expect(told(withoutKoffi)).toEqual({ available: false, reason: expect.stringMatching(/no koffi here|^this is /) });
  });
});

describe.skipIf(!linuxReceiverAvailable().available)('probe', () => {
  /** A receiver whose datagrams are changed on the way to the sink. */
  function changing(
    change: (...args: Parameters<DatagramSink['datagram']>) => Parameters<DatagramSink['datagram']> | null,
  ) {
    const receiver = createLinuxReceiver(systemClock);
    onTestFinished(() => receiver.close());
    const changed: LinuxReceiver = {
      open: (...args) => receiver.open(...args),
      openNow: (address, port, sink, sharing) =>
        receiver.openNow(
          address,
          port,
          {
            datagram(...args) {
              const result = change(...args);
              if (result) sink.datagram(...result);
            },
          },
          sharing,
        ),
      handOver: () => receiver.handOver(),
      readKernelDrops: () => receiver.readKernelDrops(),
      receiveBufferOctets: receiver.receiveBufferOctets,
      stamps: receiver.stamps,
      close: () => receiver.close(),
    };
    return changed;
  }

  test.each([
    ['a sound one', (...args) => args, null, true],
    ['none', () => null, 'a datagram to itself on 127.0.0.1 did not come', false],
    ['cut', (b, s, e, from, ms) => [b, s, e - 1, from, ms], 'a datagram to itself came with other content', false],
    [
      'from elsewhere',
      (b, s, e, _, ms) => [b, s, e, { host: '0.0.0.127', port: 80 }, ms],
      'a datagram to itself came from 0.0.0.127:80',
      false,
    ],
    // A kernel that has not begun to stamp, on a machine that has no time for it: it receives all the same.
    ['stamped on reading', (b, s, e, from) => [b, s, e, from, systemClock.nowMs()], null, false],
    [
      'stamped long ago',
      (b, s, e, from, ms) => [b, s, e, from, ms - 60],
      'a datagram to itself came before it was sent',
      false,
    ],
  ] as [string, Parameters<typeof changing>[0], string | null, boolean][])('%s', (_, change, fault, stamps) => {
    expect(probe(changing(change), systemClock)).toEqual({ fault, stamps });
  });
});
