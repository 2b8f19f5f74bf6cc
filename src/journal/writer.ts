// Encodes a journal: pcapng blocks into a growable buffer that is handed over batch by batch. No I/O (see README.md).
import { endianness } from 'node:os';
import {
  type Endpoint,
  Flow,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TCP_HEADER_OCTETS,
  transportChecksum,
  UDP_HEADER_OCTETS,
  writeIpHeader,
  writeTcpRest,
  writeUdpLength,
} from './ip-headers.ts';
import * as pcapng from './pcapng.ts';
import { type SipMessage, SipPackets } from './sip-packets.ts';
import { NanosecondStamp } from './timestamp.ts';

/** Largest UDP payload that one packet can hold. */
export const MAX_DATAGRAM_OCTETS = 65_507;

/** Growing doubles, so it has to begin with something. */
const MIN_BUFFER_OCTETS = 64;

// Shared by all writers of the thread.
const stamp = new NanosecondStamp();

/** The headers of datagrams from `source` to `destination`, made once per source. */
export function datagramFlow(source: Endpoint, destination: Endpoint): Flow {
  return new Flow(source, destination, PROTOCOL_UDP);
}

/**
 * Bytes only: the owner takes them with `take()` and appends them to the file. Interfaces belong to a section;
 * a journal that is continued after a restart begins a new one.
 */
export class JournalWriter {
  /** For the owner's use: how many octets may wait here. Not enforced by the writer itself. */
  limitOctets = Number.MAX_SAFE_INTEGER;
  #octets: Buffer;
  /** The same memory as 32-bit words in this machine's byte order, which pcapng allows. */
  #words: Int32Array;
  #length = 0;
  #interfaces = 0;
  #sipInterface = -1;
  readonly #sipPackets = new SipPackets();

  constructor(initialOctets = 8192) {
    this.#octets = Buffer.allocUnsafeSlow(Math.max(MIN_BUFFER_OCTETS, (initialOctets + 3) & ~3));
    this.#words = wordsOf(this.#octets);
  }

  /** Octets written and not taken yet: always whole blocks. */
  get octets(): number {
    return this.#length;
  }

  /** Section header block. Interfaces have to be added again. */
  beginSection(): void {
    const start = this.#begin(pcapng.SECTION_HEADER_BLOCK, 64);
    const word = start >>> 2;
    this.#words[word + 2] = pcapng.BYTE_ORDER_MAGIC;
    this.#setUint16(start + 12, 1);
    this.#setUint16(start + 14, 0);
    // Section length -1: not specified, since the section grows.
    this.#words[word + 4] = -1;
    this.#words[word + 5] = -1;
    this.#end(
      start,
      this.#endOptions(this.#option(start + 24, pcapng.SHB_USERAPPL, Buffer.from(pcapng.USER_APPLICATION))),
    );
    this.#interfaces = 0;
    this.#sipInterface = -1;
    this.#sipPackets.forget();
  }

  /** Interface description block. @returns the interface's number within the section. */
  addInterface(name: string, description: string): number {
    const nameOctets = Buffer.from(name).subarray(0, 1024);
    const descriptionOctets = Buffer.from(description).subarray(0, 1024);
    const start = this.#begin(pcapng.INTERFACE_DESCRIPTION_BLOCK, 64 + nameOctets.length + descriptionOctets.length);
    this.#setUint16(start + 8, pcapng.LINKTYPE_RAW);
    this.#setUint16(start + 10, 0);
    this.#words[(start >>> 2) + 3] = 0;
    let at = this.#option(start + 16, pcapng.IF_NAME, nameOctets);
    at = this.#option(at, pcapng.IF_DESCRIPTION, descriptionOctets);
    at = this.#option(at, pcapng.IF_TSRESOL, Uint8Array.of(9));
    this.#end(start, this.#endOptions(at));
    return this.#interfaces++;
  }

  /**
   * Enhanced packet block with `payload[start, end)` as a UDP datagram. Allocates nothing unless the buffer has to grow.
   * @param timeMs Unix ms with a fraction
   * @returns false, writing nothing, if the payload is longer than MAX_DATAGRAM_OCTETS
   */
  writeDatagram(
    interfaceId: number,
    timeMs: number,
    flow: Flow,
    payload: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const payloadOctets = end - start;
    if (payloadOctets > MAX_DATAGRAM_OCTETS) return false;
    const udpOctets = UDP_HEADER_OCTETS + payloadOctets;
    const block = this.#beginPacket(interfaceId, timeMs, flow.ipHeaderOctets + udpOctets);
    const octets = this.#octets;
    const udp = block + 28 + flow.ipHeaderOctets;
    writeIpHeader(octets, this.#words, block + 28, flow, udpOctets);
    writeUdpLength(octets, udp, payloadOctets);
    const at = udp + UDP_HEADER_OCTETS;
    if (payloadOctets === payload.length) octets.set(payload, at);
    // A view of the part would cost an object per packet.
    else for (let i = start, j = at; i < end; i++, j++) octets[j] = payload[i]!;
    if (flow.ipv6) this.#setChecksum(udp, udp + udpOctets, udp + 6, flow, PROTOCOL_UDP);
    return true;
  }

  /** A SIP message on the interface `sip`, which is added when it is first needed. */
  writeSip(message: SipMessage): void {
    if (this.#sipInterface < 0) this.#sipInterface = this.addInterface(pcapng.SIP_INTERFACE, 'SIP signalling');
    for (const packet of this.#sipPackets.packetsFor(message)) {
      const { flow, payload } = packet;
      if (packet.protocol === 'udp') {
        this.writeDatagram(this.#sipInterface, message.timeMs, flow, payload, 0, payload.length);
      } else {
        this.#writeSegment(message.timeMs, flow, packet.sequence, packet.acknowledged, payload);
      }
    }
  }

  /**
   * Hands over what was written; it stays untouched until the buffer comes back as `spare`.
   * @param spare a buffer to write into from now on, of any size; one that is not aligned to words is not used
   */
  take(spare: Buffer): { buffer: Buffer; octets: number } {
    const taken = { buffer: this.#octets, octets: this.#length };
    const usable = spare.byteOffset % 4 === 0 && spare.length >= MIN_BUFFER_OCTETS;
    this.#octets = usable ? spare : Buffer.allocUnsafeSlow(MIN_BUFFER_OCTETS);
    this.#words = wordsOf(this.#octets);
    this.#length = 0;
    return taken;
  }

  #writeSegment(timeMs: number, flow: Flow, sequence: number, acknowledged: number, payload: Uint8Array): void {
    const tcpOctets = TCP_HEADER_OCTETS + payload.length;
    const block = this.#beginPacket(this.#sipInterface, timeMs, flow.ipHeaderOctets + tcpOctets);
    const tcp = block + 28 + flow.ipHeaderOctets;
    writeIpHeader(this.#octets, this.#words, block + 28, flow, tcpOctets);
    writeTcpRest(this.#octets, tcp, sequence, acknowledged);
    this.#octets.set(payload, tcp + TCP_HEADER_OCTETS);
    this.#setChecksum(tcp, tcp + tcpOctets, tcp + 16, flow, PROTOCOL_TCP);
  }

  /** A complete enhanced packet block but for the packet itself; the padding is zero. @returns where the block begins */
  #beginPacket(interfaceId: number, timeMs: number, packetOctets: number): number {
    const total = (32 + packetOctets + 3) & ~3;
    const start = this.#length;
    if (start + total > this.#words.length * 4) this.#grow(start + total);
    const words = this.#words;
    const word = start >>> 2;
    stamp.set(timeMs);
    words[word] = pcapng.ENHANCED_PACKET_BLOCK;
    words[word + 1] = total;
    words[word + 2] = interfaceId;
    words[word + 3] = stamp.high;
    words[word + 4] = stamp.low;
    words[word + 5] = packetOctets;
    words[word + 6] = packetOctets;
    const last = (start + total - 4) >>> 2;
    words[last - 1] = 0;
    words[last] = total;
    this.#length = start + total;
    return start;
  }

  #setChecksum(start: number, end: number, at: number, flow: Flow, protocol: number): void {
    const checksum = transportChecksum(this.#octets, start, end, flow, protocol);
    this.#octets[at] = checksum >>> 8;
    this.#octets[at + 1] = checksum;
  }

  #begin(type: number, roomOctets: number): number {
    const start = this.#length;
    if (start + roomOctets > this.#words.length * 4) this.#grow(start + roomOctets);
    this.#words[start >>> 2] = type;
    return start;
  }

  #end(start: number, end: number): void {
    const total = end + 4 - start;
    this.#words[(start >>> 2) + 1] = total;
    this.#words[end >>> 2] = total;
    this.#length = end + 4;
  }

  /** @returns the offset behind the option and its padding */
  #option(at: number, code: number, value: Uint8Array): number {
    this.#setUint16(at, code);
    this.#setUint16(at + 2, value.length);
    const end = at + 4 + ((value.length + 3) & ~3);
    if (end > at + 4) this.#words[(end >>> 2) - 1] = 0;
    this.#octets.set(value, at + 4);
    return end;
  }

  #endOptions(at: number): number {
    this.#words[at >>> 2] = pcapng.OPT_ENDOFOPT;
    return at + 4;
  }

  #setUint16(at: number, value: number): void {
    if (endianness() === 'LE') this.#octets.writeUInt16LE(value, at);
    else this.#octets.writeUInt16BE(value, at);
  }

  #grow(needed: number): void {
    let size = this.#octets.length * 2;
    while (size < needed) size *= 2;
    const grown = Buffer.allocUnsafeSlow(size);
    grown.set(this.#octets.subarray(0, this.#length));
    this.#octets = grown;
    this.#words = wordsOf(grown);
  }
}

function wordsOf(octets: Buffer): Int32Array {
  return new Int32Array(octets.buffer, octets.byteOffset, octets.length >>> 2);
}
