import { expect, test } from 'vitest';
import { resolveHost } from '../../../src/sip-server/transport/resolve.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ALL = new Set([4, 6]);

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
])('%s is an address already', async (host, expected) => {
  expect(await resolveHost(host, new Set(), 5_000, new ManualClock())).toBe(expected);
});

test('a name gives an address of a wanted family, or none', async () => {
  const clock = new ManualClock();
  expect(await resolveHost('localhost', new Set([4]), 5_000, clock)).toBe('127.0.0.1');
  await expect(resolveHost('localhost', new Set(), 5_000, clock)).rejects.toMatchObject({ code: 'UNRESOLVED' });
  expect(clock.pendingTimers).toBe(0);
});

test('the wait for the resolver has a limit', async () => {
  const clock = new ManualClock();
  const attempt = resolveHost('localhost', ALL, 5_000, clock);
  clock.advance(5_000);
  await expect(attempt).rejects.toMatchObject({ code: 'UNRESOLVED', cause: new Error('no answer within 5000 ms') });
});
