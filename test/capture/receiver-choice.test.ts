import { describe, expect, test } from 'vitest';
import { chooseReceiver } from '../../src/capture/receiver-choice.ts';

const works = () => ({ available: true, receiveBufferOctets: 1 << 20 }) as const;
const fails = () => ({ available: false, reason: 'this is darwin, not Linux' }) as const;

describe('the receiver', () => {
  test.each(['auto', 'dgram'] as const)('%s takes the portable one and loads no native code', (wanted) => {
    expect(
      chooseReceiver(wanted, () => {
        throw new Error('asked');
      }),
    ).toBe('dgram');
  });

  test('linux where it does not work is an error that says why and what to do', () => {
    expect(chooseReceiver('linux', works)).toBe('linux');
    expect(() => chooseReceiver('linux', fails)).toThrow(/this is darwin, not Linux.*Set it to auto or dgram/);
  });
});
