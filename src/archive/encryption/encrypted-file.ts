// Files into their encrypted form, and the encrypted form read in ranges.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { RecorderError } from '../../lib/errors.ts';
import type { RecordedFile } from '../../recording/document.ts';
import { type ByteSource, inPieces, openLocalFile } from '../byte-source.ts';
import {
  CHUNK_OCTETS,
  chunksOf,
  encryptedOctets,
  fileKey,
  HEADER_OCTETS,
  headerOf,
  openChunk,
  plainOctets,
  SALT_OCTETS,
  saltOf,
  sealChunk,
  TAG_OCTETS,
} from './format.ts';

/**
 * Writes `to` anew, syncs it, and reads it back: what it holds is what `file` says, when this resolves.
 * Rejects with the system's errors, and with EIO if the content is another one.
 */
export async function encryptFile(from: string, to: string, file: RecordedFile, recordingKey: Buffer): Promise<void> {
  const header = headerOf(randomBytes(SALT_OCTETS));
  const key = fileKey(recordingKey, saltOf(header), file.name);
  const last = chunksOf(file.octets) - 1;
  const target = await open(to, 'w', 0o640);
  try {
    await target.writeFile(header);
    let index = 0;
    for await (const plain of inPieces(createReadStream(from), CHUNK_OCTETS)) {
      await target.writeFile(sealChunk(key, header, index, index === last, plain));
      index++;
    }
    if (index === 0) await target.writeFile(sealChunk(key, header, 0, true, Buffer.alloc(0)));
    await target.sync();
  } finally {
    await target.close();
  }
  await proveEncrypted(to, file, recordingKey);
}

/** Rejects unless the encrypted file holds exactly what `file` says. */
export async function proveEncrypted(path: string, file: RecordedFile, recordingKey: Buffer): Promise<void> {
  const source = await decrypted(await openLocalFile(path), recordingKey, file.name);
  try {
    const hash = createHash('sha256');
    if (source.octets > 0) for await (const part of source.read(0, source.octets - 1)) hash.update(part as Buffer);
    if (source.octets !== file.octets || hash.digest('hex') !== file.sha256) {
      throw Object.assign(new Error(`EIO: ${path} does not hold what was recorded`), { code: 'EIO' });
    }
  } finally {
    await source.close();
  }
}

/** What is encrypted in `source`, which is closed with it. Rejects, and reading fails, with STORAGE_FAILED if it was changed. */
export async function decrypted(source: ByteSource, recordingKey: Buffer, name: string): Promise<ByteSource> {
  try {
    const octets = plainOctets(source.octets);
    if (octets === null) throw new Error(`no encrypted file has ${source.octets} octets`);
    const header = await buffer(source.read(0, HEADER_OCTETS - 1));
    const key = fileKey(recordingKey, saltOf(header), name);
    return {
      octets,
      read: (first, last) =>
        Readable.from(plainRange(source, { header, key, octets, name }, first, last), { objectMode: false }),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw changed(name, error);
  }
}

interface Opened {
  header: Buffer;
  key: Buffer;
  octets: number;
  name: string;
}

/** Nothing of a chunk is given out before all of it has proved genuine. */
async function* plainRange(source: ByteSource, file: Opened, first: number, last: number): AsyncGenerator<Buffer> {
  const { header, key, octets, name } = file;
  const lastChunk = chunksOf(octets) - 1;
  const sealedOctets = CHUNK_OCTETS + TAG_OCTETS;
  const until = Math.floor(last / CHUNK_OCTETS);
  let index = Math.floor(first / CHUNK_OCTETS);
  const from = HEADER_OCTETS + index * sealedOctets;
  const to = Math.min(HEADER_OCTETS + (until + 1) * sealedOctets, encryptedOctets(octets)) - 1;
  for await (const sealed of inPieces(source.read(from, to), sealedOctets)) {
    let plain: Buffer;
    try {
      plain = openChunk(key, header, index, index === lastChunk, sealed);
    } catch (error) {
      throw changed(`${name}, chunk ${index}`, error);
    }
    const at = index * CHUNK_OCTETS;
    yield plain.subarray(Math.max(0, first - at), Math.min(plain.length, last - at + 1));
    index++;
  }
  if (index !== until + 1) throw changed(name, new Error('it ends too early'));
}

function changed(what: string, cause: unknown): RecorderError {
  if (cause instanceof RecorderError) return cause;
  return new RecorderError('STORAGE_FAILED', `${what} is not what was filed: ${(cause as Error).message}`, { cause });
}
