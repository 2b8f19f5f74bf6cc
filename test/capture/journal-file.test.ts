import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { JournalFile, type SyncPolicy } from '../../src/capture/journal-file.ts';
import { datagramFlow } from '../../src/journal/writer.ts';
import { blockEnds, readJournal } from '../journal/read-journal.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { FailingDisk } from './failing-disk.ts';

const flow = datagramFlow({ host: '10.0.0.1', port: 1000 }, { host: '10.0.0.2', port: 2000 });

async function setUp(path?: string, sync: SyncPolicy = 'recording') {
  const disk = new FailingDisk();
  const clock = new ManualClock();
  const failures: string[] = [];
  path ??= join(await temporaryDirectory(), 'capture.pcapng');
  const onFailure = (reason: string) => failures.push(reason);
  const file = await JournalFile.open({ path, clock, onFailure, fileSystem: disk, sync });
  file.writer.addInterface('s0', 'label 1');
  let packets = 0;
  /** Writes one packet whose payload is its number. */
  const packet = () => {
    const payload = Buffer.from(String(packets++));
    file.writer.writeDatagram(0, clock.nowMs(), flow, payload, 0, payload.length);
  };
  const onDisk = () => readJournal(path).packets.map(({ payload }) => Number(payload));
  const close = () => {
    disk.asynchronous = true;
    return file.close();
  };
  return { disk, clock, failures, path, file, close, packet, onDisk };
}

const numbers = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

describe('the journal file', () => {
  test('nothing is written before flush, everything behind it after', async () => {
    const { disk, file, packet, onDisk, close } = await setUp();
    for (let i = 0; i < 10; i++) packet();
    expect(disk.writes).toBe(0);
    expect(file.waitingOctets).toBeGreaterThan(0);
    file.flush();
    expect([file.waitingOctets, disk.writes, onDisk()]).toEqual([0, 1, numbers(0, 10)]);
    file.flush();
    expect(disk.writes).toBe(1);
    await close();
  });

  test('close writes the rest and can be repeated', async () => {
    const { packet, onDisk, failures, close } = await setUp();
    for (let i = 0; i < 3; i++) packet();
    await close();
    await close();
    expect([onDisk(), failures]).toEqual([numbers(0, 3), []]);
  });

  test('a disk that takes a little at a time', async () => {
    const { disk, file, packet, onDisk, close } = await setUp();
    disk.takes = 13;
    for (let i = 0; i < 20; i++) packet();
    file.flush();
    expect(disk.writes).toBeGreaterThan(50);
    expect(onDisk()).toEqual(numbers(0, 20));
    await close();
  });

  test.each(['ENOSPC', 'EIO'])('%s: told once, kept, written when the disk takes it again', async (code) => {
    const { disk, clock, failures, path, file, packet, onDisk, close } = await setUp();
    packet();
    file.flush();
    disk.fails = code;
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 50; i++) packet();
      file.flush();
      clock.advance(1000);
    }
    expect(failures).toEqual([`${path}: ${code}: injected`]);
    expect([file.failing, onDisk()]).toEqual([true, [0]]);
    disk.fails = null;
    clock.advance(1000);
    file.flush();
    expect([file.failing, file.waitingOctets, onDisk()]).toEqual([false, 0, numbers(0, 251)]);
    // Another series of failures is told again.
    disk.fails = code;
    packet();
    file.flush();
    expect(failures).toHaveLength(2);
    disk.fails = null;
    clock.advance(1000);
    await close();
    expect(onDisk()).toEqual(numbers(0, 252));
  });

  test('space runs out in the middle of a batch: the file stays whole', async () => {
    const { disk, clock, file, packet, onDisk, path, close } = await setUp();
    disk.takes = 300;
    const write = disk.write;
    let left = 4;
    Object.assign(disk, {
      write: ((...args) => {
        if (left-- === 0) disk.fails = 'ENOSPC';
        write(...args);
      }) satisfies typeof write,
    });
    for (let i = 0; i < 100; i++) packet();
    file.flush();
    expect(readFileSync(path)).toHaveLength(1200);
    expect(onDisk()).toEqual(numbers(0, onDisk().length));
    disk.fails = null;
    clock.advance(1000);
    expect(onDisk()).toEqual(numbers(0, 100));
    await close();
  });

  test('a full disk at the end: closing gives up after some tries and has told', async () => {
    const { disk, clock, failures, file, packet, onDisk, close } = await setUp();
    packet();
    file.flush();
    disk.fails = 'ENOSPC';
    packet();
    const closing = close();
    for (let i = 0; i < 70; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    await closing;
    expect(onDisk()).toEqual([0]);
    expect(failures.length).toBeGreaterThan(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a disk that hangs at the end: closing does not wait for ever, and says what is missing', async () => {
    const { disk, clock, failures, file, packet, onDisk, close } = await setUp();
    packet();
    file.flush();
    disk.stalled = true;
    packet();
    const closing = close();
    for (let i = 0; i < 30; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    await closing;
    expect(onDisk()).toEqual([0]);
    expect(failures).toEqual([expect.stringMatching(/its last \d+ octets could not be written/)]);
    expect(clock.pendingTimers).toBe(0);
    // The write that hung lands in its own file all the same.
    disk.resume();
    expect(onDisk()).toEqual([0, 1]);
  });

  test('a full disk at the end that has room again within a minute: nothing is missing', async () => {
    const { disk, clock, file, packet, onDisk, close } = await setUp();
    packet();
    file.flush();
    disk.fails = 'ENOSPC';
    packet();
    const closing = close();
    for (let i = 0; i < 50; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (i === 40) disk.fails = null;
      clock.advance(1000);
    }
    await closing;
    expect(onDisk()).toEqual([0, 1]);
  });

  test.each([
    ['none', 0, 0],
    ['recording', 0, 1],
    [{ everyMs: 1000 }, 4, 5],
  ] as const)('sync %j: %i times in five seconds, %i with the end', async (sync, running, all) => {
    const { disk, clock, file, packet, close } = await setUp(undefined, sync);
    const synced: number[] = [];
    let underWay = 0;
    const { fsync } = disk;
    Object.assign(disk, {
      fsync: ((fd, done) => {
        synced.push(clock.nowMs());
        underWay++;
        fsync(fd, (error) => {
          underWay--;
          done(error);
        });
      }) as typeof fsync,
    });
    for (let turn = 0; turn < 25; turn++) {
      packet();
      file.flush();
      await expect.poll(() => file.waitingOctets + underWay, { interval: 1 }).toBe(0);
      clock.advance(200);
    }
    expect(synced).toHaveLength(running);
    await close();
    expect(synced).toHaveLength(all);
  });

  test('a slow disk holds nobody up: packets gather meanwhile and are the next batch', async () => {
    const { disk, file, packet, onDisk, close } = await setUp();
    disk.stalled = true;
    packet();
    file.flush();
    for (let i = 0; i < 500; i++) {
      packet();
      file.flush();
    }
    expect(disk.writes).toBe(1);
    disk.resume();
    file.flush();
    expect([disk.writes, onDisk()]).toEqual([2, numbers(0, 501)]);
    await close();
  });

  test('the memory of a slow time is given back', async () => {
    const { disk, file, packet, close } = await setUp();
    disk.stalled = true;
    for (let i = 0; i < 30_000; i++) packet();
    file.flush();
    disk.resume();
    const sizes: number[] = [];
    const { write } = disk;
    Object.assign(disk, {
      write: ((fd, buffer, ...rest) => {
        sizes.push(buffer.length);
        write(fd, buffer, ...rest);
      }) satisfies typeof write,
    });
    for (let i = 0; i < 3; i++) {
      packet();
      file.flush();
    }
    expect(sizes).toEqual([8192, 8192, 8192]);
    await close();
  });

  test('a directory that is not there rejects with the system’s error', async () => {
    const directory = await temporaryDirectory();
    await expect(setUp(join(directory, 'none', 'capture.pcapng'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a journal that is continued', () => {
  test.each([
    ['whole', 0, ''],
    ['torn in the last block', -5, ''],
    ['with zeros behind', 0, '\0'.repeat(500)],
    ['with garbage behind', 0, 'garbage that is no block at all'],
  ])('%s', async (_, cut, behind) => {
    const before = await setUp();
    for (let i = 0; i < 10; i++) before.packet();
    await before.close();
    const whole = readFileSync(before.path);
    if (cut) truncateSync(before.path, whole.length + cut);
    appendFileSync(before.path, behind, 'latin1');
    const after = await setUp(before.path);
    for (let i = 0; i < 3; i++) after.packet();
    await after.close();
    const { packets, interfaces, skippedOctets } = readJournal(before.path);
    expect(packets.map(({ payload }) => Number(payload))).toEqual([...numbers(0, cut ? 9 : 10), 0, 1, 2]);
    expect(interfaces.map(({ name }) => name)).toEqual(['s0', 's0']);
    expect(skippedOctets).toBe(0);
  });

  test.each([4, 64, 252, 256, 1024])('with %i KiB of zeros behind, as a power loss may leave it', async (kib) => {
    const before = await setUp();
    for (let i = 0; i < 10; i++) before.packet();
    await before.close();
    appendFileSync(before.path, Buffer.alloc(kib << 10));
    const after = await setUp(before.path);
    for (let i = 0; i < 3; i++) after.packet();
    await after.close();
    expect(readJournal(before.path).packets.map(({ payload }) => Number(payload))).toEqual([
      ...numbers(0, 10),
      0,
      1,
      2,
    ]);
  });

  test('torn at every octet of its last block', async () => {
    const before = await setUp();
    for (let i = 0; i < 5; i++) before.packet();
    await before.close();
    const whole = readFileSync(before.path);
    const [last = 0] = blockEnds(whole).slice(-2);
    for (let length = last; length <= whole.length; length += 3) {
      writeFileSync(before.path, whole.subarray(0, length));
      const after = await setUp(before.path);
      after.packet();
      await after.close();
      const { packets, skippedOctets } = readJournal(before.path);
      expect(packets.map(({ payload }) => Number(payload))).toEqual([
        ...numbers(0, length === whole.length ? 5 : 4),
        0,
      ]);
      expect(skippedOctets).toBe(0);
    }
  });

  test('a file that is no journal keeps its octets, and the section behind it is found', async () => {
    const path = join(await temporaryDirectory(), 'capture.pcapng');
    const foreign = Buffer.alloc(1001, 'not pcapng ');
    writeFileSync(path, foreign);
    const { packet, close } = await setUp(path);
    packet();
    await close();
    expect(readFileSync(path).subarray(0, 1001).equals(foreign)).toBe(true);
    expect(readJournal(path).packets.map(({ payload }) => payload)).toEqual(['0']);
  });
});
