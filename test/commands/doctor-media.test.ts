import { expect, test } from 'vitest';
import { linuxReceiverAvailable } from '../../src/capture/linux/availability.ts';
import { checkMedia, receiveBufferFinding, receiverFinding } from '../../src/commands/doctor-media.ts';

const works = { available: true as const, receiveBufferOctets: 1 << 20, stamps: true };
const fails = { available: false as const, reason: 'this is darwin, not Linux' };

test('the receiver that serve would use, and why', () => {
  expect(receiverFinding('auto', works)).toMatchObject({
    verdict: 'ok',
    text: expect.stringContaining('system calls'),
  });
  expect(receiverFinding('linux', { ...works, stamps: false })).toMatchObject({
    verdict: 'warn',
    text: expect.stringContaining('only when they were read'),
  });
  expect(receiverFinding('auto', fails)).toMatchObject({ verdict: 'ok', text: expect.stringContaining('darwin') });
  expect(receiverFinding('linux', fails)).toMatchObject({ verdict: 'fail', text: expect.stringContaining('darwin') });
  expect(receiverFinding('dgram', works).text).toMatch(/node:dgram; rtp\.receiver auto would/);
  expect(receiverFinding('dgram', fails).text).toBe('media is received with node:dgram');
});

test('a socket’s buffer in seconds of speech; only the Linux receiver may go beyond the system’s limit', () => {
  // What Linux grants with its default net.core.rmem_max of 212,992.
  expect(receiveBufferFinding('dgram', 425_984)).toEqual({
    verdict: 'warn',
    text: expect.stringMatching(/holds 3\.7 s .* sysctl -w net\.core\.rmem_max=524288$/),
  });
  expect(receiveBufferFinding('linux', 425_984).text).toMatch(/rmem_max=524288, or give the recorder CAP_NET_ADMIN$/);
  for (const receiver of ['linux', 'dgram'] as const) {
    expect(receiveBufferFinding(receiver, 1 << 20)).toEqual({ verdict: 'ok', text: expect.stringContaining('9.1 s') });
  }
});

test('measured here, for the receiver that is used', async () => {
  expect(await checkMedia('dgram')).toHaveLength(2);
  const findings = await checkMedia('linux');
  expect(findings).toHaveLength(linuxReceiverAvailable().available ? 2 : 1);
});
