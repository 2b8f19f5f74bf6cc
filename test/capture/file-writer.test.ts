import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileWriter } from '../../src/capture/file-writer.ts';
import { MAX_WRITES, OCTETS } from '../../src/capture/file-writer-memory.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

let writer: FileWriter;
let opened: number[];

beforeEach(() => {
  writer = new FileWriter();
  opened = [];
});

afterEach(async () => {
  await writer.close();
  for (const fd of opened) closeSync(fd);
});

async function newFile(name = 'file'): Promise<{ path: string; fd: number }> {
  const path = join(await temporaryDirectory(), name);
  const fd = openSync(path, 'w');
  opened.push(fd);
  return { path, fd };
}

type Outcome = number | string;

/** Octets written, or the error's code. */
function write(fd: number, octets: Buffer, position: number, offset = 0, length = octets.length): Promise<Outcome> {
  return new Promise((resolve) => {
    writer.write(fd, octets, offset, length, position, (error, written) => resolve(error?.code ?? written));
  });
}

test('each write goes to its file, at its position, from its part of the buffer', async () => {
  const first = await newFile();
  const second = await newFile();
  const outcomes = await Promise.all([
    write(first.fd, Buffer.from('..one..'), 0, 2, 3),
    write(second.fd, Buffer.from('three'), 5),
    write(first.fd, Buffer.from('two'), 3),
  ]);
  expect(outcomes).toEqual([3, 5, 3]);
  expect(readFileSync(first.path, 'latin1')).toBe('onetwo');
  expect(readFileSync(second.path, 'latin1')).toBe('\0\0\0\0\0three');
});

test('writes asked for while others are under way follow', async () => {
  const { path, fd } = await newFile();
  const outcomes: Promise<Outcome>[] = [];
  for (let i = 0; i < 50; i++) {
    outcomes.push(write(fd, Buffer.from('ab'), i * 2));
    if (i % 7 === 0) await outcomes[i >> 1];
  }
  expect(await Promise.all(outcomes)).toEqual(new Array(50).fill(2));
  expect(readFileSync(path, 'latin1')).toBe('ab'.repeat(50));
});

test('more writes than fit into one round', async () => {
  const { path, fd } = await newFile();
  const outcomes = Array.from({ length: MAX_WRITES * 2 + 1 }, (_, i) => write(fd, Buffer.from([i]), i));
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set([1]));
  expect(readFileSync(path)).toEqual(Buffer.from(outcomes.map((_, i) => i)));
});

test('a write longer than the shared memory is done in part, as any write may be', async () => {
  const { path, fd } = await newFile();
  const octets = Buffer.alloc(OCTETS + 1000, 'x');
  expect(await write(fd, octets, 0)).toBe(OCTETS);
  expect(await write(fd, octets, OCTETS, OCTETS, 1000)).toBe(1000);
  expect(readFileSync(path).equals(octets)).toBe(true);
});

test('a write gets the room that those before it left', async () => {
  const { path, fd } = await newFile();
  const half = Buffer.alloc(OCTETS * 0.75, 'y');
  const [first, second] = await Promise.all([write(fd, half, 0), write(fd, half, half.length)]);
  expect([first, second]).toEqual([half.length, OCTETS - half.length]);
  expect(readFileSync(path).length).toBe(OCTETS);
});

test("the system's errors come back by their codes, and harm no other write", async () => {
  const { path, fd } = await newFile();
  const full = openSync('/dev/full', 'w');
  opened.push(full);
  const outcomes = await Promise.all([
    write(999_999, Buffer.from('a'), 0),
    write(full, Buffer.from('b'), 0),
    write(fd, Buffer.from('c'), 0),
  ]);
  expect(outcomes).toEqual(['EBADF', 'ENOSPC', 1]);
  expect(readFileSync(path, 'latin1')).toBe('c');
});

test('the buffer may be used again after the answer, not before', async () => {
  const { path, fd } = await newFile();
  const octets = Buffer.from('before');
  await write(fd, octets, 0);
  octets.write('after!');
  await write(fd, octets, 6);
  expect(readFileSync(path, 'latin1')).toBe('beforeafter!');
});

test('closing fails what was not written and everything later', async () => {
  const { fd } = await newFile();
  const pending = write(fd, Buffer.from('a'), 0);
  await writer.close();
  expect(await pending).toBeOneOf(['ECANCELED', 1]);
  expect(await write(fd, Buffer.from('b'), 1)).toBe('ECANCELED');
});
