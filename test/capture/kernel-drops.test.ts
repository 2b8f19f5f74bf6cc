import { describe, expect, test } from 'vitest';
import { KernelDrops, socketName } from '../../src/capture/kernel-drops.ts';
import { ManualClock } from '../support/manual-clock.ts';

// As Linux 6.1 prints them.
const HEADING =
  '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             ';
const line = (name: string, drops: number) =>
  `${`  455: ${name} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 000000005c6b5a3e ${drops}`.padEnd(127)}`;
const table = (...lines: string[]) => `${[HEADING, ...lines].join('\n')}\n`;

function setUp() {
  const clock = new ManualClock();
  const files: Record<string, string | undefined> = { '/proc/net/udp': table(), '/proc/net/udp6': table() };
  let reads = 0;
  const drops = new KernelDrops(clock, async (path) => {
    reads++;
    if (files[path] === undefined) throw new Error('ENOENT');
    return files[path];
  });
  return { clock, files, drops, rounds: () => reads / 2 };
}

describe('kernel drops out of /proc/net', () => {
  test('names as the kernel writes them on a little-endian machine', () => {
    expect(socketName('127.0.0.1', 12_000)).toBe('0100007F:2EE0');
    expect(socketName('0.0.0.0', 5)).toBe('00000000:0005');
    expect(socketName('::1', 5004)).toBe('00000000000000000000000001000000:138C');
  });

  test('the last column by address and port; who is not there lost nothing', async () => {
    const { files, drops } = setUp();
    files['/proc/net/udp'] = table(line('0100007F:2EE0', 17), line('00000000:2EE0', 3), line('0100007F:2EE2', 0));
    files['/proc/net/udp6'] = table(line('00000000000000000000000001000000:138C', 2));
    expect(drops.of(socketName('127.0.0.1', 12_000))).toBeNull();
    await drops.refresh();
    expect(drops.of(socketName('127.0.0.1', 12_000))).toBe(17);
    expect(drops.of(socketName('0.0.0.0', 12_000))).toBe(3);
    expect(drops.of(socketName('127.0.0.1', 12_002))).toBe(0);
    expect(drops.of(socketName('::1', 5004))).toBe(2);
    drops.forget(socketName('127.0.0.1', 12_000));
    expect(drops.of(socketName('127.0.0.1', 12_000))).toBe(0);
  });

  test('one file is enough, none is not told', async () => {
    const { clock, files, drops } = setUp();
    files['/proc/net/udp'] = files['/proc/net/udp6'] = undefined;
    await drops.refresh();
    expect(drops.of('0100007F:2EE0')).toBeNull();
    files['/proc/net/udp'] = table(line('0100007F:2EE0', 1));
    const refreshed = drops.refresh();
    clock.advance(250);
    await refreshed;
    expect(drops.of('0100007F:2EE0')).toBe(1);
  });

  test('many who ask at once share a reading that is younger than they are, four times a second at most', async () => {
    const { clock, files, drops, rounds } = setUp();
    const first = drops.refresh();
    files['/proc/net/udp'] = table(line('0100007F:2EE0', 5));
    const later = Array.from({ length: 100 }, () => drops.refresh());
    await first;
    expect(rounds()).toBe(1);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    clock.advance(249);
    expect(rounds()).toBe(1);
    clock.advance(1);
    await Promise.all(later);
    expect(rounds()).toBe(2);
    expect(drops.of('0100007F:2EE0')).toBe(5);
  });
});
