import { describe, expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../../src/capture/linux/layouts.ts';
import { Senders } from '../../../src/capture/linux/senders.ts';
import { writeSocketAddress } from '../../../src/capture/linux/socket-address.ts';

const memory = new ArrayBuffer(64);
const octets = new Uint8Array(memory);
const words = new Int32Array(memory);
const AT = 32;

function seen(senders: Senders, host: string, port: number) {
  writeSocketAddress(octets, AT, host.includes(':') ? AF_INET6 : AF_INET, host, port);
  return senders.at(octets, words, AT);
}

describe('senders', () => {
  test.each([
    ['IPv4', false, ['192.0.2.1 5004', '192.0.2.1 5005', '192.0.2.2 5004', '193.0.2.1 5004', '0.0.0.0 0']],
    [
      'IPv6',
      true,
      // Differing in each of the words that make up the address, in the port, and in the interface.
      [
        '2001:db8:1:2:3:4:5:6 5004',
        '2001:db9:1:2:3:4:5:6 5004',
        '2001:db8:1:3:3:4:5:6 5004',
        '2001:db8:1:2:3:5:5:6 5004',
        '2001:db8:1:2:3:4:5:7 5004',
        '2001:db8:1:2:3:4:5:6 5005',
        '2001:db8:1:2:3:4:5:6%2 5004',
        ':: 0',
      ],
    ],
  ] as const)('%s: every sender is one object, and none is taken for another', (_, ipv6, names) => {
    const senders = new Senders(ipv6);
    const parts = names.map((name) => name.split(' ') as [string, string]);
    const first = parts.map(([host, port]) => seen(senders, host, Number(port)));
    expect(new Set(first).size).toBe(names.length);
    expect(first).toEqual(parts.map(([host, port]) => ({ host: host.replace('%2', ''), port: Number(port) })));
    for (const order of [parts, parts.toReversed()])
      for (const [host, port] of order) {
        const source = first[parts.findIndex(([h, p]) => h === host && p === port)];
        expect(seen(senders, host, Number(port))).toBe(source);
        expect(seen(senders, host, Number(port))).toBe(source);
      }
  });

  test('sixteen are remembered; who came first goes first', () => {
    const senders = new Senders(false);
    const first = Array.from({ length: 16 }, (_, i) => seen(senders, '192.0.2.1', 5000 + i));
    expect(first.map((source, i) => seen(senders, '192.0.2.1', 5000 + i) === source)).toEqual(new Array(16).fill(true));
    seen(senders, '192.0.2.1', 6000);
    expect(seen(senders, '192.0.2.1', 5001)).toBe(first[1]);
    const again = seen(senders, '192.0.2.1', 5000);
    expect(again).toEqual(first[0]);
    expect(again).not.toBe(first[0]);
  });
});
