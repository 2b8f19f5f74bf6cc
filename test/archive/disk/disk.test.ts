import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Disk, inOrder, systemDisk } from '../../../src/archive/disk/disk.ts';
import { DiskThread } from '../../../src/archive/disk/disk-thread.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

function threadDisk(): DiskThread {
  const disk = new DiskThread('test-disk');
  onTestFinished(() => disk.close());
  return disk;
}

const DISKS: [string, () => Disk][] = [
  ['in the thread that asks', () => systemDisk],
  ['in a thread of its own', threadDisk],
];

describe.each(DISKS)('a disk %s', (_, open) => {
  test('replaces a file whole, with the mode it is told', async () => {
    const disk = open();
    const path = join(await temporaryDirectory(), 'session.json');
    await disk.replaceFile(path, 'first');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    // What a crash left beside it is not in the way, and gives away nothing.
    await writeFile(`${path}.part`, 'half of something longer');
    await chmod(`${path}.part`, 0o666);
    await disk.replaceFile(path, 'second', { durability: 'rename-only', mode: 0o600 });
    expect(await disk.readText(path)).toBe('second');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await disk.exists(`${path}.part`)).toBe(false);
  });

  test('works in the order it is asked, so that the last word stands', async () => {
    const disk = open();
    const directory = await temporaryDirectory();
    const path = join(directory, 'session.json');
    const words = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(1 + (i % 7) * 1000));
    const replaced = words.map((word) => disk.replaceFile(path, word));
    const gone = disk.rename(path, join(directory, 'filed.json'));
    await Promise.all([...replaced, gone]);
    expect(await readdir(directory)).toEqual(['filed.json']);
    expect(await readFile(join(directory, 'filed.json'), 'utf8')).toBe(words.at(-1));
  });

  test('copies, sums and names what is there', async () => {
    const disk = open();
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a'), Buffer.alloc(700_000, 'abc'));
    await disk.copySynced(join(directory, 'a'), join(directory, 'b'));
    expect(await disk.fingerprint(join(directory, 'b'))).toEqual(await disk.fingerprint(join(directory, 'a')));
    await writeFile(join(directory, 'abc'), 'abc');
    // FIPS 180-2, appendix B.1
    expect(await disk.fingerprint(join(directory, 'abc'))).toEqual({
      octets: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    expect((await disk.names(directory)).sort()).toEqual(['a', 'abc', 'b']);
    await disk.syncDirectory(directory);
  });

  test('removes files and trees, and does not mind what is gone', async () => {
    const disk = open();
    const directory = await temporaryDirectory();
    await disk.makeDirectory(join(directory, 'x', 'y'));
    await disk.makeDirectory(join(directory, 'x', 'y'));
    await writeFile(join(directory, 'x', 'y', 'z'), '');
    await disk.remove(join(directory, 'x', 'y', 'z'));
    await disk.remove(join(directory, 'x', 'y', 'z'));
    await mkdir(join(directory, 'x', 'y', 'more'));
    await disk.remove(join(directory, 'x'));
    expect(await readdir(directory)).toEqual([]);
  });

  test('does several steps in order, and none behind one that fails', async () => {
    const disk = open();
    const directory = await temporaryDirectory();
    const [, , text, there] = await inOrder(
      disk,
      ['replaceFile', join(directory, 'a'), 'x'],
      ['rename', join(directory, 'a'), join(directory, 'b')],
      ['readText', join(directory, 'b')],
      ['exists', join(directory, 'a')],
    );
    expect([text, there]).toEqual(['x', false]);
    const failed = inOrder(
      disk,
      ['replaceFile', join(directory, 'c'), 'x'],
      ['rename', join(directory, 'a'), join(directory, 'd')],
      ['remove', join(directory, 'b')],
    );
    await expect(failed).rejects.toMatchObject({ code: 'ENOENT', syscall: 'rename' });
    expect((await readdir(directory)).sort()).toEqual(['b', 'c']);
  });

  test('a failed step tells its code, and the next one is done', async () => {
    const disk = open();
    const directory = await temporaryDirectory();
    const failed = disk.replaceFile(join(directory, 'nowhere', 'session.json'), 'x');
    const done = disk.replaceFile(join(directory, 'session.json'), 'x');
    await expect(failed).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' });
    await done;
    await expect(disk.copySynced(join(directory, 'none'), join(directory, 'b'))).rejects.toThrow(/ENOENT/);
    await expect(disk.names(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the thread', () => {
  test('has done what was asked for when it is closed, and another takes its place', async () => {
    const disk = threadDisk();
    const path = join(await temporaryDirectory(), 'session.json');
    const first = disk.replaceFile(path, 'first');
    await disk.close();
    await first;
    await disk.replaceFile(path, 'second');
    expect(await disk.readText(path)).toBe('second');
  });

  test('one that dies fails what it was asked for with EIO, and so does the next, but nothing waits for ever', async () => {
    const disk = new DiskThread('test-disk', new URL('./dying-worker.ts', import.meta.url));
    const died = { code: 'EIO', message: expect.stringContaining('out of memory, say') };
    await expect(Promise.all([disk.exists('/'), disk.names('/')])).rejects.toMatchObject(died);
    await expect(disk.exists('/')).rejects.toMatchObject(died);
    await disk.close();
  });
});
