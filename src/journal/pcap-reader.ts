// Reads classic pcap files, as tcpdump writes them (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html).
import { closeSync, openSync, readSync } from 'node:fs';
import { PacketReader } from './packet-reader.ts';

const FILE_HEADER_OCTETS = 24;
const RECORD_HEADER_OCTETS = 16;
const MICROSECONDS_MAGIC = 0xa1b2c3d4;
const NANOSECONDS_MAGIC = 0xa1b23c4d;
const CHUNK_OCTETS = 1 << 20;
/** A longer record is taken for garbage: no capture program writes it. */
const MAX_RECORD_OCTETS = 256 << 10;

/** True for the first octets of a classic pcap file, in either byte order. */
export function isPcap(head: Buffer): boolean {
  if (head.length < 4) return false;
  return [head.readUInt32LE(0), head.readUInt32BE(0)].some((magic) => unitsPerMs(magic) !== null);
}

function unitsPerMs(magic: number): number | null {
  return magic === MICROSECONDS_MAGIC ? 1e3 : magic === NANOSECONDS_MAGIC ? 1e6 : null;
}

/** Synchronous. A record that is cut off ends the file. */
export class PcapReader extends PacketReader {
  truncated = false;
  readonly #fd: number;
  readonly #littleEndian: boolean;
  readonly #unitsPerMs: number;
  readonly #linkType: number;
  readonly #chunk: Buffer = Buffer.allocUnsafeSlow(2 * CHUNK_OCTETS);
  #at = 0;
  #filled = 0;
  #closed = false;

  /** Throws what opening the file throws, or a sentence if it is no pcap file. */
  constructor(path: string) {
    super();
    this.#fd = openSync(path, 'r');
    try {
      const head = this.#ensure(FILE_HEADER_OCTETS) ? this.#chunk : Buffer.alloc(FILE_HEADER_OCTETS);
      this.#littleEndian = unitsPerMs(head.readUInt32LE(0)) !== null;
      const units = unitsPerMs(this.#littleEndian ? head.readUInt32LE(0) : head.readUInt32BE(0));
      if (units === null) throw new Error(`${path} is no pcap file.`);
      this.#unitsPerMs = units;
      // The upper bits may tell the length of frame check sequences.
      this.#linkType = this.#uint32(20) & 0x0fff_ffff;
      this.#at = FILE_HEADER_OCTETS;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  next(): boolean {
    while (!this.#closed && this.#ensure(RECORD_HEADER_OCTETS)) {
      const captured = this.#uint32(this.#at + 8);
      if (captured > MAX_RECORD_OCTETS || !this.#ensure(RECORD_HEADER_OCTETS + captured)) {
        this.truncated = true;
        return false;
      }
      this.timeMs = this.#uint32(this.#at) * 1000 + this.#uint32(this.#at + 4) / this.#unitsPerMs;
      const start = this.#at + RECORD_HEADER_OCTETS;
      this.#at = start + captured;
      if (this.take(this.#chunk, start, this.#at, this.#linkType)) return true;
      this.ignored++;
    }
    if (this.#at < this.#filled) this.truncated = true;
    return false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  #uint32(at: number): number {
    return this.#littleEndian ? this.#chunk.readUInt32LE(at) : this.#chunk.readUInt32BE(at);
  }

  /** Makes sure that so many octets stand behind the current place. False at the end of the file. */
  #ensure(octets: number): boolean {
    while (this.#filled - this.#at < octets) {
      if (this.#at > 0) {
        this.#chunk.copyWithin(0, this.#at, this.#filled);
        this.#filled -= this.#at;
        this.#at = 0;
      }
      const read = readSync(this.#fd, this.#chunk, this.#filled, this.#chunk.length - this.#filled, null);
      if (read === 0) return false;
      this.#filled += read;
    }
    return true;
  }
}
