import { describe, expect, test } from 'vitest';
import { NetworkList, PRIVATE_NETWORKS, parseNetwork, plainAddress } from '../../src/lib/networks.ts';

describe('parseNetwork', () => {
  test.each([
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8 }],
    ['192.0.2.7', { address: '192.0.2.7', prefix: 32 }],
    ['fc00::/7', { address: 'fc00::', prefix: 7 }],
    ['::1', { address: '::1', prefix: 128 }],
    ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0 }],
    ['::ffff:10.0.0.0/104', { address: '10.0.0.0', prefix: 8 }],
    ['::ffff:192.0.2.1', { address: '192.0.2.1', prefix: 32 }],
    ['10.0.0.0/33', null],
    ['10.0.0.0/', null],
    ['10.0.0.0/8/8', null],
    ['10.0.0.0/-1', null],
    ['10.0.0/8', null],
    ['pbx.example', null],
    ['fe80::1%eth0', null],
    ['', null],
  ])('%s', (text, expected) => {
    expect(parseNetwork(text)).toEqual(expected);
  });
});

test.each([
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:0:1', '::ffff:0:1'],
  ['192.0.2.1', '192.0.2.1'],
])('plainAddress %s', (host, expected) => {
  expect(plainAddress(host)).toBe(expected);
});

test.each([
  [['192.0.2.0/24'], '192.0.2.200', true],
  [['192.0.2.0/24'], '192.0.3.1', false],
  [['192.0.2.0/24'], '::ffff:192.0.2.9', true],
  [['192.0.2.0/24'], '::ffff:c000:209', true],
  [['::ffff:192.0.2.0/120'], '192.0.2.9', true],
  [['2001:db8::/32'], '2001:db8:1::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['fe80::/10'], 'fe80::1%eth0', true],
  [['0.0.0.0/0'], '203.0.113.1', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['::/0'], '2001:db8::1', true],
  [[], '127.0.0.1', false],
  [['0.0.0.0/0', '::/0'], 'pbx.example', false],
  [['0.0.0.0/0', '::/0'], '', false],
  [PRIVATE_NETWORKS, '172.31.0.1', true],
  [PRIVATE_NETWORKS, '172.32.0.1', false],
])('%j holds %s: %s', (networks, host, expected) => {
  expect(new NetworkList(networks).has(host)).toBe(expected);
});

test('what is no network is named', () => {
  expect(() => new NetworkList(['10.0.0.0/8', 'pbx.example'])).toThrow(/pbx\.example/);
});
