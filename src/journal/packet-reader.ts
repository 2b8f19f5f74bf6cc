// What all readers of captures hand out: one UDP or TCP packet after the other, described by fields that are filled anew.
import { FragmentStore } from './fragments.ts';
import { formatIpAddress } from './ip-address.ts';
import { ParsedPacket, parsePacket } from './packet-parser.ts';
import { LINKTYPE_RAW } from './pcapng.ts';

/**
 * After `next()` returned true the fields describe one packet, until the next call; the payload is
 * `buffer[payloadStart, payloadEnd)`. Read `buffer` anew each time, it may be replaced by another one.
 */
export abstract class PacketReader implements Disposable {
  interfaceId = 0;
  /** The stream id, or `sip`; empty in captures that do not name it. */
  interfaceName = '';
  /** Unix ms with a fraction. */
  timeMs = 0;
  /** Packets left out: neither UDP nor TCP, cut headers, fragments without the others, unknown interface, no timestamp. */
  ignored = 0;

  readonly #packet = new ParsedPacket();
  readonly #fragments = new FragmentStore();
  #buffer: Buffer = Buffer.alloc(0);

  /** Moves to the next packet. False at the end, and from then on. Throws only what reading the file throws. */
  abstract next(): boolean;
  /** Closes the file. Idempotent. */
  abstract close(): void;
  /** True once something unreadable had to be skipped. Complete after the last `next()`. */
  abstract readonly truncated: boolean;

  [Symbol.dispose](): void {
    this.close();
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  get protocol(): 'udp' | 'tcp' {
    return this.#packet.protocol;
  }

  get payloadStart(): number {
    return this.#packet.payloadStart;
  }

  get payloadEnd(): number {
    return this.#packet.payloadEnd;
  }

  get sourcePort(): number {
    return this.#packet.sourcePort;
  }

  get destinationPort(): number {
    return this.#packet.destinationPort;
  }

  /** Sequence number of a TCP segment's first octet. */
  get tcpSequence(): number {
    return this.#packet.tcpSequence;
  }

  /** Address as text; made anew with each call. */
  sourceHost(): string {
    return formatIpAddress(this.#buffer, this.#packet.sourceAddressAt, this.#packet.addressOctets);
  }

  destinationHost(): string {
    return formatIpAddress(this.#buffer, this.#packet.destinationAddressAt, this.#packet.addressOctets);
  }

  /** Reads the frame in `buffer[start, end)`. False if it is no whole UDP or TCP packet, nor completes one from fragments. */
  protected take(buffer: Buffer, start: number, end: number, linkType: number): boolean {
    this.#buffer = buffer;
    if (parsePacket(buffer, start, end, linkType, this.#packet)) return true;
    const whole = this.#fragments.add(buffer, start, end, linkType);
    if (whole === null) return false;
    this.#buffer = whole;
    return parsePacket(whole, 0, whole.length, LINKTYPE_RAW, this.#packet);
  }
}
