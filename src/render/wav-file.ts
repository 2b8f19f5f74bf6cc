// Streams samples into a WAV file: written aside, synced, renamed; the digest is made on the way.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { type WavFormat, wavHeader } from './wav-header.ts';

const CHUNK_OCTETS = 1 << 20;
const SWAP_NEEDED = endianness() === 'BE';

/** Where a file stands until it is whole. */
export function partPath(path: string): string {
  return `${path}.part`;
}

/**
 * The length is known from the start, so the header is final when it is written. Synchronous: for worker threads.
 * Every method throws what the file system throws; call `discard()` then.
 */
export class WavFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_OCTETS);
  readonly #expectedOctets: number;
  #filled = 0;
  #octets = 0;
  #open = true;

  /** Replaces a part file that an interrupted render left. */
  constructor(path: string, format: WavFormat, rf64FromOctets?: number) {
    const header = wavHeader(format, rf64FromOctets);
    this.#path = path;
    this.#expectedOctets = header.length + format.frames * format.channels * 2;
    this.#fd = openSync(partPath(path), 'w', 0o640);
    this.#append(header);
  }

  /** Appends interleaved samples. */
  write(samples: Int16Array): void {
    this.#append(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), SWAP_NEEDED);
  }

  /** Syncs and renames. @returns size and digest of the file. */
  finish(): { octets: number; sha256: string } {
    this.#flush();
    if (this.#octets !== this.#expectedOctets) {
      throw new Error(`the WAV file has ${this.#octets} octets where its header says ${this.#expectedOctets}`);
    }
    fsyncSync(this.#fd);
    this.#close();
    renameSync(partPath(this.#path), this.#path);
    syncDirectory(dirname(this.#path));
    return { octets: this.#octets, sha256: this.#hash.digest('hex') };
  }

  /** Removes the part file. Throws nothing. */
  discard(): void {
    try {
      this.#close();
      rmSync(partPath(this.#path), { force: true });
    } catch {
      // The reason why the file is discarded is told already.
    }
  }

  #append(octets: Uint8Array, swap = false): void {
    for (let from = 0; from < octets.length; ) {
      if (this.#filled === CHUNK_OCTETS) this.#flush();
      const count = Math.min(octets.length - from, CHUNK_OCTETS - this.#filled);
      this.#chunk.set(octets.subarray(from, from + count), this.#filled);
      // Samples of two octets never straddle a chunk: header and chunk have even sizes.
      if (swap) this.#chunk.subarray(this.#filled, this.#filled + count).swap16();
      this.#filled += count;
      from += count;
    }
  }

  #flush(): void {
    const chunk = this.#chunk.subarray(0, this.#filled);
    this.#hash.update(chunk);
    for (let from = 0; from < chunk.length; ) from += writeSync(this.#fd, chunk, from, chunk.length - from);
    this.#octets += chunk.length;
    this.#filled = 0;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }
}

/** Makes a rename last through a power cut, where the system can do that. */
function syncDirectory(path: string): void {
  try {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Windows cannot open directories; the file itself is synced.
  }
}
