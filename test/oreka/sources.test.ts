import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { LogLimiter } from '../../src/lib/log-limiter.ts';
import { PRIVATE_NETWORKS } from '../../src/lib/networks.ts';
import { AllowedSources } from '../../src/oreka/sources.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let lines: object[];

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
});

const allow = (networks: readonly string[]) =>
  new AllowedSources(networks, {
    log: { ...silentLog, warn: (fields) => lines.push(fields) },
    limiter: new LogLimiter(clock),
  });

describe('the default', () => {
  test.each([
    '127.0.0.40',
    '10.255.0.1',
    '172.31.9.9',
    '192.168.1.1',
    '100.127.0.1',
    '::1',
    'fd12::1',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
  ])('admits %s', (host) => {
    expect(allow(PRIVATE_NETWORKS).admits(host)).toBe(true);
  });
  test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '192.169.0.1', '2001:db8::1', '::ffff:8.8.8.8', '', 'nonsense'])(
    'refuses %s',
    (host) => {
      expect(allow(PRIVATE_NETWORKS).admits(host)).toBe(false);
    },
  );
});

test('an entry that is no network is refused by name', () => {
  expect(() => allow(['10.0.0.0/8', 'pbx'])).toThrow('pbx is neither an IP address nor a network');
});

test('refused datagrams are counted by source and told once a minute', () => {
  const sources = allow(['192.0.2.1']);
  for (let n = 0; n < 5; n++) sources.admits('198.51.100.1');
  sources.admits('198.51.100.2');
  expect(sources.refused).toEqual({ '198.51.100.1': 5, '198.51.100.2': 1 });
  expect(lines).toEqual([{ sources: { '198.51.100.1': 1 } }]);
  clock.advance(60_000);
  sources.admits('198.51.100.1');
  expect(lines[1]).toEqual({ sources: { '198.51.100.1': 5, '198.51.100.2': 1 } });
});

test('a flood from many addresses is counted in bounded space', () => {
  const sources = allow([]);
  for (let n = 0; n < 1_000; n++) sources.admits(`198.51.${n >> 8}.${n & 255}`);
  const { refused } = sources;
  expect([Object.keys(refused).length, refused.others]).toEqual([257, 744]);
  clock.advance(60_000);
  sources.admits('203.0.113.1');
  expect(lines).toHaveLength(2);
  expect(Object.keys((lines[1] as { sources: object }).sources)).toHaveLength(10);
});
