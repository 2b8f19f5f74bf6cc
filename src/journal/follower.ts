// Reads a journal that is still being written on this machine, packet by packet, as it grows.
import { type FileHandle, open } from 'node:fs/promises';
import { PacketReader } from './packet-reader.ts';
import * as pcapng from './pcapng.ts';
import { timestampReader } from './timestamp.ts';

const CHUNK_OCTETS = 1 << 20;
/** Options begin behind link type, reserved and snap length. */
const INTERFACE_OPTIONS_AT = 8;
const PACKET_AT = 20;

const readNanoseconds = timestampReader(9, 0);

/**
 * Only for journals of ours (little-endian, nanoseconds, whole blocks one after the other). `more` fetches what has been
 * appended, then `next` hands out packets until it says false: `more` may bring others.
 */
export class JournalFollower extends PacketReader {
  /** Packets that are older than this are passed over, Unix ms. */
  fromMs = 0;
  readonly #file: FileHandle;
  /** Of the current section, by position. */
  #names: string[] = [];
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_OCTETS);
  #at = 0;
  #filled = 0;
  /** Of `#chunk[0]` in the file. */
  #base = 0;
  #broken = false;
  #closed = false;

  private constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  /** Rejects with what opening the file rejects with. */
  static async open(path: string): Promise<JournalFollower> {
    return new JournalFollower(await open(path, 'r'));
  }

  /** True once there is something that is no block: the file is not what it was. Open it anew. */
  get truncated(): boolean {
    return this.#broken;
  }

  /** Fetches at most a MiB. False if there is nothing new. Rejects with what reading the file rejects with. */
  async more(): Promise<boolean> {
    if (this.#closed || this.#broken) return false;
    if (this.#at > 0) {
      this.#chunk.copyWithin(0, this.#at, this.#filled);
      this.#base += this.#at;
      this.#filled -= this.#at;
      this.#at = 0;
    }
    const room = this.#chunk.length - this.#filled;
    const { bytesRead } = await this.#file.read(this.#chunk, this.#filled, room, this.#base + this.#filled);
    this.#filled += bytesRead;
    return bytesRead > 0;
  }

  next(): boolean {
    while (!this.#closed && !this.#broken && this.#filled - this.#at >= pcapng.BLOCK_OVERHEAD_OCTETS) {
      const start = this.#at;
      const octets = this.#chunk.readUInt32LE(start + 4);
      if (octets < pcapng.BLOCK_OVERHEAD_OCTETS || octets % 4 !== 0 || octets > CHUNK_OCTETS) {
        this.#broken = true;
        return false;
      }
      if (this.#filled - start < octets) return false;
      this.#at += octets;
      if (this.#take(this.#chunk.readUInt32LE(start), start + 8, start + octets - 4)) return true;
    }
    return false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Nothing was written: there is nothing that could go wrong.
    this.#file.close().catch(() => {});
  }

  /** True if the block is a packet to be handed out. */
  #take(type: number, start: number, end: number): boolean {
    if (type === pcapng.SECTION_HEADER_BLOCK) this.#names = [];
    if (type === pcapng.INTERFACE_DESCRIPTION_BLOCK) this.#names.push(nameIn(this.#chunk, start, end));
    if (type !== pcapng.ENHANCED_PACKET_BLOCK || end - start < PACKET_AT) return false;
    const timeMs = readNanoseconds(this.#chunk.readUInt32LE(start + 4), this.#chunk.readUInt32LE(start + 8));
    if (timeMs < this.fromMs) return false;
    const packet = start + PACKET_AT;
    const captured = this.#chunk.readUInt32LE(start + 12);
    if (captured > end - packet || !this.take(this.#chunk, packet, packet + captured, pcapng.LINKTYPE_RAW))
      return false;
    this.interfaceName = this.#names[this.#chunk.readUInt32LE(start)] ?? '';
    this.timeMs = timeMs;
    return true;
  }
}

function nameIn(buffer: Buffer, start: number, end: number): string {
  for (let at = start + INTERFACE_OPTIONS_AT; at + 4 <= end; ) {
    const code = buffer.readUInt16LE(at);
    const length = buffer.readUInt16LE(at + 2);
    if (code === pcapng.OPT_ENDOFOPT || at + 4 + length > end) break;
    if (code === pcapng.IF_NAME) return buffer.toString('utf8', at + 4, at + 4 + length);
    at += 4 + ((length + 3) & ~3);
  }
  return '';
}
