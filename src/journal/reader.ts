// Reads a journal, or a foreign pcapng capture, packet by packet. Synchronous: for worker threads (see README.md).
import { closeSync, openSync } from 'node:fs';
import { BlockReader } from './block-reader.ts';
import { PacketReader } from './packet-reader.ts';
import * as pcapng from './pcapng.ts';
import { type TimestampReader, timestampReader } from './timestamp.ts';

/** Interfaces beyond these are not told apart; their packets are ignored. */
const MAX_INTERFACES = 4096;

export interface JournalInterface {
  /** Position in `interfaces`, through all sections. */
  interfaceId: number;
  /** The stream id, or `sip`; empty in captures that do not name it. A continued journal has the same name again. */
  name: string;
  description: string;
  linkType: number;
}

interface OpenInterface extends JournalInterface {
  readTimestamp: TimestampReader;
}

/**
 * Hands out every UDP and TCP packet in the order of the file. That is nearly, not strictly, the order of time:
 * packets of a sender that had to prove itself are written late, with their own time.
 */
export class JournalReader extends PacketReader {
  readonly interfaces: readonly JournalInterface[];
  readonly #fd: number;
  readonly #blocks: BlockReader;
  readonly #interfaces: OpenInterface[] = [];
  /** Where the current section's interfaces begin in `interfaces`. */
  #sectionBase = 0;
  #closed = false;

  /** Throws what opening the file throws. */
  constructor(path: string) {
    super();
    this.#fd = openSync(path, 'r');
    this.#blocks = new BlockReader(this.#fd);
    this.interfaces = this.#interfaces;
  }

  next(): boolean {
    if (this.#closed) return false;
    while (this.#blocks.next()) {
      switch (this.#blocks.type) {
        case pcapng.SECTION_HEADER_BLOCK:
          this.#sectionBase = this.#interfaces.length;
          break;
        case pcapng.INTERFACE_DESCRIPTION_BLOCK:
          this.#addInterface();
          break;
        case pcapng.ENHANCED_PACKET_BLOCK:
          if (this.#readPacket()) return true;
          this.ignored++;
          break;
        case pcapng.SIMPLE_PACKET_BLOCK:
          this.ignored++;
          break;
      }
    }
    return false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  /** True once something unreadable had to be skipped: a torn tail, zeros, garbage. Complete after the last `next()`. */
  get truncated(): boolean {
    return this.#blocks.truncated;
  }

  get skippedOctets(): number {
    return this.#blocks.skippedOctets;
  }

  /** Offset behind the last whole block read. */
  get wholeOctets(): number {
    return this.#blocks.wholeOctets;
  }

  #addInterface(): void {
    const blocks = this.#blocks;
    if (this.#interfaces.length >= MAX_INTERFACES || blocks.bodyEnd - blocks.bodyStart < 8) return;
    let name = '';
    let description = '';
    let resolution = 6;
    let offsetSeconds = 0;
    let at = blocks.bodyStart + 8;
    while (at + 4 <= blocks.bodyEnd) {
      const code = blocks.uint16(at);
      const length = blocks.uint16(at + 2);
      const value = at + 4;
      if (code === pcapng.OPT_ENDOFOPT || value + length > blocks.bodyEnd) break;
      if (code === pcapng.IF_NAME) name = blocks.buffer.toString('utf8', value, value + length);
      else if (code === pcapng.IF_DESCRIPTION) description = blocks.buffer.toString('utf8', value, value + length);
      else if (code === pcapng.IF_TSRESOL && length >= 1) resolution = blocks.buffer[value]!;
      else if (code === pcapng.IF_TSOFFSET && length >= 8) offsetSeconds = this.#offsetSeconds(value);
      at = value + ((length + 3) & ~3);
    }
    this.#interfaces.push({
      interfaceId: this.#interfaces.length,
      name,
      description,
      linkType: blocks.uint16(blocks.bodyStart),
      readTimestamp: timestampReader(resolution, offsetSeconds),
    });
  }

  /** if_tsoffset: 64 bits, signed. */
  #offsetSeconds(at: number): number {
    return Number(
      this.#blocks.littleEndian ? this.#blocks.buffer.readBigInt64LE(at) : this.#blocks.buffer.readBigInt64BE(at),
    );
  }

  #readPacket(): boolean {
    const blocks = this.#blocks;
    const body = blocks.bodyStart;
    if (blocks.bodyEnd - body < 20) return false;
    const described = this.#interfaces[this.#sectionBase + blocks.uint32(body)];
    const captured = blocks.uint32(body + 12);
    const start = body + 20;
    if (described === undefined || captured > blocks.bodyEnd - start) return false;
    if (!this.take(blocks.buffer, start, start + captured, described.linkType)) return false;
    this.interfaceId = described.interfaceId;
    this.interfaceName = described.name;
    this.timeMs = described.readTimestamp(blocks.uint32(body + 4), blocks.uint32(body + 8));
    return true;
  }
}
