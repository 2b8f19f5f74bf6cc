import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../../src/capture/linux/layouts.ts';
import { readHost, readPort, writeSocketAddress } from '../../../src/capture/linux/socket-address.ts';

const written = (family: typeof AF_INET | typeof AF_INET6, host: string, port: number) => {
  const memory = new Uint8Array(40).fill(0xee);
  const octets = writeSocketAddress(memory, 4, family, host, port);
  return { memory, octets, hex: Buffer.from(memory).toString('hex', 4, 4 + octets) };
};

describe('socket address', () => {
  test('sockaddr_in: family, port in network order, address, zeros', () => {
    expect(written(AF_INET, '192.0.2.33', 0x9c41)).toMatchObject({
      octets: 16,
      hex: '02009c41c00002210000000000000000',
    });
  });

  test('sockaddr_in6: family, port, flow information, address, scope', () => {
    const { octets, hex } = written(AF_INET6, '2001:db8::102:304%7', 40_001);
    expect(octets).toBe(28);
    expect(hex).toBe('0a009c41' + '00000000' + '20010db8000000000000000001020304' + '07000000');
  });

  test('an IPv4 address for an IPv6 socket is mapped', () => {
    const { octets, hex, memory } = written(AF_INET6, '192.0.2.33', 1);
    expect(octets).toBe(28);
    expect(hex.slice(16, 48)).toBe('00000000000000000000ffffc0000221');
    expect(readHost(memory, 4)).toBe('::ffff:192.0.2.33');
    expect(written(AF_INET6, '::ffff:192.0.2.33', 1).hex).toBe(hex);
  });

  test.each([
    [AF_INET, '::1', 1],
    [AF_INET, 'localhost', 1],
    [AF_INET6, 'localhost', 1],
    [AF_INET, '', 1],
    [AF_INET, '127.0.0.1', 65_536],
    [AF_INET, '127.0.0.1', -1],
    [AF_INET, '127.0.0.1', Number.NaN],
  ] as const)('family %i: %s port %f is no address', (family, host, port) => {
    const { octets, memory } = written(family, host, port);
    expect(octets).toBe(0);
    expect([...memory]).toEqual(new Array(40).fill(0xee));
  });

  test('nothing is written outside of the room', () => {
    for (const family of [AF_INET, AF_INET6] as const) {
      const { memory } = written(family, '127.0.0.1', 65_535);
      expect([...memory.subarray(0, 4), ...memory.subarray(36)]).toEqual(new Array(8).fill(0xee));
    }
  });

  test('the interface of a link-local address is named as node:dgram names it', () => {
    const addresses = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
      (all ?? []).map((address) => ({ name, address })),
    );
    const linkLocal = addresses.find(({ address }) => address.address.startsWith('fe80'));
    if (linkLocal) {
      const { memory } = written(AF_INET6, `fe80::1%${linkLocal.name}`, 1);
      expect(readHost(memory, 4)).toBe(`fe80::1%${linkLocal.name}`);
    }
    expect(readHost(written(AF_INET6, 'fe80::1%12345', 1).memory, 4)).toBe('fe80::1%12345');
    expect(readHost(written(AF_INET6, '2001:db8::1%3', 1).memory, 4)).toBe('2001:db8::1');
  });

  test('what was written is read again', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        const { memory } = written(AF_INET, host, port);
        expect({ host: readHost(memory, 4), port: readPort(memory, 4) }).toEqual({ host, port });
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (address) => {
        // Not link-local, which would carry its interface.
        address[0] = 0x20;
        const text = Array.from({ length: 8 }, (_, i) => ((address[2 * i]! << 8) | address[2 * i + 1]!).toString(16));
        const { memory } = written(AF_INET6, text.join(':'), 5004);
        expect(memory.slice(12, 28)).toEqual(address);
        const again = written(AF_INET6, readHost(memory, 4), readPort(memory, 4));
        expect(again.memory).toEqual(memory);
      }),
    );
  });
});
