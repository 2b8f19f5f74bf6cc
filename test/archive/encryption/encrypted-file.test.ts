import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteSource, openLocalFile } from '../../../src/archive/byte-source.ts';
import { decrypted, encryptFile } from '../../../src/archive/encryption/encrypted-file.ts';
import {
  CHUNK_OCTETS,
  encryptedOctets,
  HEADER_OCTETS,
  plainOctets,
  TAG_OCTETS,
} from '../../../src/archive/encryption/format.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const KEY = randomBytes(32);
const SEALED = CHUNK_OCTETS + TAG_OCTETS;
const random = (octets: number) => randomBytes(octets);

function fileOf(content: Buffer, name = 'audio.wav') {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { name, role: 'audio', octets: content.length, sha256 } as const;
}

async function encrypt(content: Buffer): Promise<string> {
  const directory = await temporaryDirectory();
  const [from, to] = [join(directory, 'audio.wav'), join(directory, 'audio.wav.enc')];
  await writeFile(from, content);
  await encryptFile(from, to, fileOf(content), KEY);
  return to;
}

const open = async (path: string, key = KEY, name = 'audio.wav') => decrypted(await openLocalFile(path), key, name);

async function readAll(source: ByteSource): Promise<Buffer> {
  try {
    return source.octets === 0 ? Buffer.alloc(0) : await buffer(source.read(0, source.octets - 1));
  } finally {
    await source.close();
  }
}

describe('an encrypted file', () => {
  test.each([0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 2 * CHUNK_OCTETS, 3 * CHUNK_OCTETS - 1])(
    'of %i octets comes back, and shows nothing of itself',
    async (octets) => {
      const content = Buffer.alloc(octets, 'the same words again and again ');
      const path = await encrypt(content);
      const stored = await readFile(path);
      expect(stored.length).toBe(encryptedOctets(octets));
      expect(plainOctets(stored.length)).toBe(octets);
      expect(stored.includes('words')).toBe(false);
      expect((await readAll(await open(path))).equals(content)).toBe(true);
    },
  );

  test('is read in ranges at and around every chunk boundary', async () => {
    const content = random(3 * CHUNK_OCTETS + 100);
    const source = await open(await encrypt(content));
    const edges = [0, 1, 2, 3].flatMap((chunk) => [-1, 0, 1].map((by) => chunk * CHUNK_OCTETS + by));
    const points = [...edges, content.length - 1].filter((at) => at >= 0 && at < content.length);
    for (const first of points) {
      for (const last of points.filter((at) => at >= first)) {
        const part = await buffer(source.read(first, last));
        expect(part.equals(content.subarray(first, last + 1)), `${first}-${last}`).toBe(true);
      }
    }
    await source.close();
  });

  test('gives no range that is not genuine, whatever single bit is flipped', async () => {
    const content = random(2 * CHUNK_OCTETS + 77);
    const path = await encrypt(content);
    const stored = await readFile(path);
    const bits = fc.integer({ min: 0, max: stored.length * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(bits, async (bit) => {
        const changed = Buffer.from(stored);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        await writeFile(path, changed);
        await expect(open(path).then(readAll)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      }),
      {
        numRuns: 60,
        examples: [[0], [64], [80], [HEADER_OCTETS * 8 - 1], [HEADER_OCTETS * 8], [stored.length * 8 - 1]],
      },
    );
  });

  test('reads on where it is whole, and no octet of the chunk that is not', async () => {
    const content = random(3 * CHUNK_OCTETS);
    const path = await encrypt(content);
    const stored = await readFile(path);
    stored[HEADER_OCTETS + SEALED + 5]! ^= 1;
    await writeFile(path, stored);
    const source = await open(path);
    expect((await buffer(source.read(0, CHUNK_OCTETS - 1))).equals(content.subarray(0, CHUNK_OCTETS))).toBe(true);
    const third = await buffer(source.read(2 * CHUNK_OCTETS, 3 * CHUNK_OCTETS - 1));
    expect(third.equals(content.subarray(2 * CHUNK_OCTETS))).toBe(true);
    let got = 0;
    const reading = (async () => {
      for await (const part of source.read(0, content.length - 1)) got += (part as Buffer).length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(got).toBe(CHUNK_OCTETS);
    await source.close();
  });

  const chunk = (stored: Buffer, index: number) =>
    stored.subarray(HEADER_OCTETS + index * SEALED, HEADER_OCTETS + (index + 1) * SEALED);
  test.each<[string, (stored: Buffer) => Buffer]>([
    ['cut at a chunk', (stored) => stored.subarray(0, HEADER_OCTETS + 2 * SEALED)],
    ['cut inside a chunk', (stored) => stored.subarray(0, stored.length - 1_000)],
    ['cut by an octet', (stored) => stored.subarray(0, -1)],
    ['cut inside the header', (stored) => stored.subarray(0, 20)],
    ['empty', () => Buffer.alloc(0)],
    ['longer', (stored) => Buffer.concat([stored, Buffer.alloc(1)])],
    ['a chunk twice', (stored) => Buffer.concat([stored, chunk(stored, 2)])],
    [
      'chunks swapped',
      (stored) =>
        Buffer.concat([stored.subarray(0, HEADER_OCTETS), chunk(stored, 1), chunk(stored, 0), chunk(stored, 2)]),
    ],
    [
      'the first chunk left out',
      (stored) => Buffer.concat([stored.subarray(0, HEADER_OCTETS), chunk(stored, 1), chunk(stored, 2)]),
    ],
    ['not encrypted at all', () => random(3 * CHUNK_OCTETS)],
  ])('is refused: %s', async (_, change) => {
    const path = await encrypt(random(3 * CHUNK_OCTETS));
    await writeFile(path, change(await readFile(path)));
    await expect(open(path).then(readAll)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('is refused under another key and under another name', async () => {
    const path = await encrypt(random(100));
    await expect(open(path, randomBytes(32)).then(readAll)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(open(path, KEY, 'capture.pcapng').then(readAll)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('is not made of what is not what was recorded', async () => {
    const directory = await temporaryDirectory();
    const from = join(directory, 'audio.wav');
    await writeFile(from, 'bit rot');
    const encrypting = encryptFile(from, `${from}.enc`, fileOf(Buffer.from('bit rox')), KEY);
    await expect(encrypting).rejects.toMatchObject({ code: 'EIO' });
  });
});
