// Walks the blocks of a pcapng file in chunks; reads past tears and garbage to the next sound block (pcapng §3.1).
import { readSync } from 'node:fs';
import { BLOCK_OVERHEAD_OCTETS, BYTE_ORDER_MAGIC, MAX_BLOCK_OCTETS, SECTION_HEADER_BLOCK } from './pcapng.ts';

const CHUNK_OCTETS = 1 << 20;
/** While searching, so that garbage full of false lengths cannot make every step move the whole buffer. */
const MAX_FOUND_BLOCK_OCTETS = CHUNK_OCTETS;
/** Block types that a search through garbage may stop at: anything else is too likely to be chance. */
const LANDMARKS = [1, 6, SECTION_HEADER_BLOCK];

/**
 * Synchronous. After `next()` returned true, `buffer[bodyStart, bodyEnd)` is the block's body until the next call.
 * A block counts only if its length is plausible and repeated at its end, so nothing half written is ever handed out.
 */
export class BlockReader {
  buffer: Buffer = Buffer.allocUnsafeSlow(2 * CHUNK_OCTETS);
  type = 0;
  bodyStart = 0;
  bodyEnd = 0;
  littleEndian = true;
  /** True once bytes had to be skipped: a torn tail, zeros, garbage. */
  truncated = false;
  /** Bytes skipped. */
  skippedOctets = 0;
  /** Offset in the file behind the last whole block: where a continued journal goes on. */
  wholeOctets = 0;

  readonly #fd: number;
  /** File offset of buffer[0]. */
  #base = 0;
  #at = 0;
  #filled = 0;
  #ended = false;
  #inSection = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Moves to the next whole block. False at the end of the file. Throws only what reading the file throws. */
  next(): boolean {
    for (;;) {
      const total = this.#blockAt(false);
      if (total > 0) {
        this.bodyStart = this.#at + 8;
        this.bodyEnd = this.#at + total - 4;
        this.#at += total;
        this.wholeOctets = this.#base + this.#at;
        return true;
      }
      if (!this.#searchOn()) return false;
    }
  }

  uint16(at: number): number {
    return this.littleEndian ? this.buffer.readUInt16LE(at) : this.buffer.readUInt16BE(at);
  }

  uint32(at: number): number {
    return this.littleEndian ? this.buffer.readUInt32LE(at) : this.buffer.readUInt32BE(at);
  }

  /** Total length of the block at the current place, 0 if there is no sound one. Sets type and byte order. */
  #blockAt(searching: boolean): number {
    if (!this.#ensure(BLOCK_OVERHEAD_OCTETS)) return 0;
    const at = this.#at;
    const previousOrder = this.littleEndian;
    let type = this.uint32(at);
    if (type === SECTION_HEADER_BLOCK) {
      // The same in both byte orders; the magic behind the length tells them apart.
      if (this.buffer.readUInt32LE(at + 8) === BYTE_ORDER_MAGIC) this.littleEndian = true;
      else if (this.buffer.readUInt32BE(at + 8) === BYTE_ORDER_MAGIC) this.littleEndian = false;
      else return 0;
      type = this.uint32(at);
    } else if (!this.#inSection || (searching && !LANDMARKS.includes(type)) || type === 0) {
      return 0;
    }
    const total = this.uint32(at + 4);
    const sound =
      total >= BLOCK_OVERHEAD_OCTETS &&
      total <= (searching ? MAX_FOUND_BLOCK_OCTETS : MAX_BLOCK_OCTETS) &&
      total % 4 === 0 &&
      this.#ensure(total) &&
      this.uint32(this.#at + total - 4) === total;
    if (!sound) {
      this.littleEndian = previousOrder;
      return 0;
    }
    if (type === SECTION_HEADER_BLOCK) this.#inSection = true;
    this.type = type;
    return total;
  }

  /** Skips 32-bit words until a landmark block begins or the file ends. */
  #searchOn(): boolean {
    while (this.#ensure(4)) {
      this.truncated = true;
      this.#at += 4;
      this.skippedOctets += 4;
      // Blocks begin on 32-bit boundaries of the file, also behind a tear.
      if (this.#ensure(BLOCK_OVERHEAD_OCTETS) && this.#looksLikeLandmark() && this.#blockAt(true) > 0) return true;
    }
    const rest = this.#filled - this.#at;
    if (rest > 0) {
      this.truncated = true;
      this.skippedOctets += rest;
      this.#at = this.#filled;
    }
    return false;
  }

  #looksLikeLandmark(): boolean {
    const word = this.buffer.readUInt32LE(this.#at);
    return word === SECTION_HEADER_BLOCK || (this.#inSection && LANDMARKS.includes(this.uint32(this.#at)));
  }

  /** Makes sure that `octets` from the current place on are in the buffer. False at the end of the file. */
  #ensure(octets: number): boolean {
    while (this.#filled - this.#at < octets) {
      if (this.#ended) return false;
      if (this.#at + octets > this.buffer.length && this.#at > 0) {
        this.buffer.copyWithin(0, this.#at, this.#filled);
        this.#base += this.#at;
        this.#filled -= this.#at;
        this.#at = 0;
      }
      if (octets > this.buffer.length) {
        const grown = Buffer.allocUnsafeSlow(octets + CHUNK_OCTETS);
        this.buffer.copy(grown, 0, 0, this.#filled);
        this.buffer = grown;
      }
      const read = readSync(
        this.#fd,
        this.buffer,
        this.#filled,
        this.buffer.length - this.#filled,
        this.#base + this.#filled,
      );
      if (read === 0) this.#ended = true;
      this.#filled += read;
    }
    return true;
  }
}
