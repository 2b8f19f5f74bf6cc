// Puts IPv4 and IPv6 fragments together (RFC 791 §3.2, RFC 8200 §4.5): large SIP messages over UDP come in pieces.
import { networkHeaderAt } from './packet-parser.ts';

const IPV6_FRAGMENT_HEADER = 44;
/** Datagrams being put together at once; the oldest are given up. */
const MAX_DATAGRAMS = 64;
const MAX_DATAGRAM_OCTETS = 65_535;

interface Pieces {
  /** The headers of the fragment at offset 0; null until it has come. */
  header: Buffer | null;
  /** The upper layer's protocol. */
  protocol: number;
  byOffset: Map<number, Buffer>;
  /** Known once the last fragment has come. */
  octets: number | null;
}

interface Fragment {
  key: string;
  header: Buffer;
  protocol: number;
  offset: number;
  isLast: boolean;
  payload: Buffer;
}

export class FragmentStore {
  readonly #pieces = new Map<string, Pieces>();

  /** Takes in the frame if it is a fragment. Returns the whole IP packet when this one completes it, else null. */
  add(buffer: Buffer, start: number, end: number, linkType: number): Buffer | null {
    const at = networkHeaderAt(buffer, start, end, linkType);
    if (at < 0 || at >= end) return null;
    const version = buffer[at]! >>> 4;
    const fragment =
      version === 4 ? ipv4Fragment(buffer, at, end) : version === 6 ? ipv6Fragment(buffer, at, end) : null;
    return fragment && fragment.offset + fragment.payload.length <= MAX_DATAGRAM_OCTETS ? this.#add(fragment) : null;
  }

  #add({ key, header, protocol, offset, isLast, payload }: Fragment): Buffer | null {
    const pieces = this.#pieces.get(key) ?? { header: null, protocol, byOffset: new Map(), octets: null };
    this.#pieces.set(key, pieces);
    if (offset === 0) {
      pieces.header = header;
      pieces.protocol = protocol;
    }
    if (isLast) pieces.octets = offset + payload.length;
    pieces.byOffset.set(offset, payload);
    const whole = assemble(pieces);
    if (whole) this.#pieces.delete(key);
    else if (this.#pieces.size > MAX_DATAGRAMS) this.#pieces.delete(this.#pieces.keys().next().value!);
    return whole;
  }
}

function ipv4Fragment(buffer: Buffer, at: number, end: number): Fragment | null {
  if (at + 20 > end) return null;
  const headerOctets = (buffer[at]! & 0x0f) * 4;
  const flags = buffer.readUInt16BE(at + 6);
  const packetEnd = at + buffer.readUInt16BE(at + 2);
  if ((flags & 0x3fff) === 0 || headerOctets < 20 || packetEnd > end || at + headerOctets > packetEnd) return null;
  return {
    key: `4 ${buffer.toString('hex', at + 12, at + 20)} ${buffer.readUInt16BE(at + 4)} ${buffer[at + 9]}`,
    header: Buffer.from(buffer.subarray(at, at + headerOctets)),
    protocol: buffer[at + 9]!,
    offset: (flags & 0x1fff) * 8,
    isLast: (flags & 0x2000) === 0,
    payload: Buffer.from(buffer.subarray(at + headerOctets, packetEnd)),
  };
}

/** Only where the fragment header follows the first header directly, as it does on all media networks. */
function ipv6Fragment(buffer: Buffer, at: number, end: number): Fragment | null {
  if (at + 48 > end || buffer[at + 6] !== IPV6_FRAGMENT_HEADER) return null;
  const packetEnd = at + 40 + buffer.readUInt16BE(at + 4);
  if (packetEnd > end || packetEnd < at + 48) return null;
  const offsetAndFlags = buffer.readUInt16BE(at + 42);
  return {
    key: `6 ${buffer.toString('hex', at + 8, at + 40)} ${buffer.readUInt32BE(at + 44)}`,
    header: Buffer.from(buffer.subarray(at, at + 40)),
    protocol: buffer[at + 40]!,
    offset: offsetAndFlags & 0xfff8,
    isLast: (offsetAndFlags & 1) === 0,
    payload: Buffer.from(buffer.subarray(at + 48, packetEnd)),
  };
}

/** The packet as it was before it was cut, its header's length and flags put right. */
function assemble({ header, protocol, byOffset, octets }: Pieces): Buffer | null {
  if (!header || octets === null) return null;
  const payload = Buffer.alloc(octets);
  let filled = 0;
  for (const [offset, piece] of [...byOffset].sort(([a], [b]) => a - b)) {
    if (offset > filled) return null;
    payload.set(piece.subarray(0, Math.max(0, octets - offset)), offset);
    filled = Math.max(filled, offset + piece.length);
  }
  if (filled < octets) return null;
  const whole = Buffer.concat([header, payload]);
  if (header[0]! >>> 4 === 4) {
    whole.writeUInt16BE(Math.min(whole.length, 65_535), 2);
    whole.writeUInt16BE(0, 6);
  } else {
    whole.writeUInt16BE(Math.min(payload.length, 65_535), 4);
    whole[6] = protocol;
  }
  return whole;
}
