import { describe, expect, test } from 'vitest';
import { chooseReceiver } from '../../src/capture/receiver-choice.ts';

const works = () => ({ available: true, receiveBufferOctets: 1 << 20, stamps: true }) as const;
const fails = () => ({ available: false, reason: 'this is darwin, not Linux' }) as const;

describe('the receiver', () => {
  test('auto takes the Linux one where it works, else the portable one', () => {
    expect(chooseReceiver('auto', works)).toBe('linux');
    expect(chooseReceiver('auto', fails)).toBe('dgram');
  });

  test('dgram does not even look', () => {
    expect(
      chooseReceiver('dgram', () => {
        throw new Error('asked');
      }),
    ).toBe('dgram');
  });

  test('linux where it does not work is an error that says why and what to do', () => {
    expect(chooseReceiver('linux', works)).toBe('linux');
    expect(() => chooseReceiver('linux', fails)).toThrow(/this is darwin, not Linux.*Set it to auto or dgram/);
  });
});
