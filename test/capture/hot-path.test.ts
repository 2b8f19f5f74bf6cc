import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { linuxReceiverAvailable } from '../../src/capture/linux/availability.ts';

const PROGRAM = join(import.meta.dirname, 'hot-path.ts');
const FLAGS = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];
/**
 * A number with a fraction that is passed on takes 16 octets, and the time of arrival is passed twice. The smallest thing
 * that code could make per packet, a view, a closure or an object of three fields, would be beyond this.
 */
const TWO_NUMBERS_OCTETS = 34;

async function measure(which: 'stream' | 'kernel', rounds: number) {
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, PROGRAM, which, String(rounds)]);
  return JSON.parse(stdout) as { octetsPerPacket: number; packets: number; lost: number };
}

describe('nothing is made per packet but the numbers passed on', () => {
  test('a million packets of a recorded call through a stream, its statistics and its journal', {
    timeout: 30_000,
  }, async () => {
    const { octetsPerPacket, packets, lost } = await measure('stream', 5000);
    expect({ packets, lost }).toEqual({ packets: 1_000_000, lost: 0 });
    expect(octetsPerPacket).toBeLessThan(TWO_NUMBERS_OCTETS);
  });

  test.skipIf(!linuxReceiverAvailable().available)(
    'out of the kernel through the Linux receiver',
    { timeout: 30_000 },
    async () => {
      const { octetsPerPacket, packets, lost } = await measure('kernel', 500);
      expect({ packets, lost }).toEqual({ packets: 100_000, lost: 0 });
      expect(octetsPerPacket).toBeLessThan(TWO_NUMBERS_OCTETS);
    },
  );
});
