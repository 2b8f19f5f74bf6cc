// Stored octets that can be read from any place: of a local file, of an object in a store, or what decryption makes of either.

import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';

export interface ByteSource {
  octets: number;
  /** Octets `first` to `last`, inclusive, 0 ≤ first ≤ last < octets. */
  read(first: number, last: number): Readable;
  close(): Promise<void>;
}

/** The descriptor keeps the content even if the file is deleted meanwhile. Rejects as `open` does. */
export async function openLocalFile(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r');
  const close = closeOnce(() => handle.close());
  try {
    const { size } = await handle.stat();
    return {
      octets: size,
      read: (first, last) => Readable.from(rangeOf(handle, first, last), { objectMode: false }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const AT_ONCE_OCTETS = 1 << 16;

/** Not the handle's own stream: it leaves a listener behind for each range. */
async function* rangeOf(handle: FileHandle, first: number, last: number): AsyncGenerator<Buffer> {
  for (let at = first; at <= last; ) {
    const want = Math.min(AT_ONCE_OCTETS, last + 1 - at);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(want), 0, want, at);
    if (bytesRead === 0) throw new RecorderError('STORAGE_FAILED', 'The file became shorter while it was read.');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** The same octets in pieces of that size; the last one may be shorter. */
export async function* inPieces(stream: AsyncIterable<Buffer>, octets: number): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const part of stream) {
    waiting.push(part);
    length += part.length;
    if (length < octets) continue;
    const whole = Buffer.concat(waiting);
    let at = 0;
    for (; at + octets <= whole.length; at += octets) yield whole.subarray(at, at + octets);
    waiting = at < whole.length ? [whole.subarray(at)] : [];
    length = whole.length - at;
  }
  if (length > 0) yield Buffer.concat(waiting);
}
