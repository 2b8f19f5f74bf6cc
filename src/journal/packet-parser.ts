// Finds the UDP or TCP payload in a captured packet: link layer, IPv4 or IPv6, transport header. No reassembly.
import * as pcapng from './pcapng.ts';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPES_VLAN = new Set([0x8100, 0x88a8, 0x9100]);
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
/** Hop-by-hop, routing, destination options (RFC 8200 §4); 44 is a fragment and is not followed. */
const IPV6_EXTENSIONS = new Set([0, 43, 60]);

/** Refilled for every packet. Offsets are those of the buffer. */
export class ParsedPacket {
  protocol: 'udp' | 'tcp' = 'udp';
  /** 4 or 16. */
  addressOctets = 4;
  sourceAddressAt = 0;
  destinationAddressAt = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** TCP only. */
  tcpSequence = 0;
  payloadStart = 0;
  payloadEnd = 0;
}

/**
 * Reads the packet in `buffer[start, end)`. Allocates nothing.
 * @returns false for everything that is not a whole UDP or TCP packet: other protocols, IP fragments, cut headers.
 */
export function parsePacket(
  buffer: Uint8Array,
  start: number,
  end: number,
  linkType: number,
  into: ParsedPacket,
): boolean {
  const at = networkHeaderAt(buffer, start, end, linkType);
  if (at < 0 || at >= end) return false;
  const version = buffer[at]! >>> 4;
  if (version === 4) return parseIpv4(buffer, at, end, into);
  if (version === 6) return parseIpv6(buffer, at, end, into);
  return false;
}

/** Where the IP header begins behind the link layer's; -1 if it does not carry IP. */
export function networkHeaderAt(buffer: Uint8Array, start: number, end: number, linkType: number): number {
  switch (linkType) {
    case pcapng.LINKTYPE_RAW:
    case pcapng.LINKTYPE_IPV4:
    case pcapng.LINKTYPE_IPV6:
      return start;
    case pcapng.LINKTYPE_ETHERNET: {
      let at = start + 12;
      while (at + 2 <= end && ETHERTYPES_VLAN.has(uint16(buffer, at))) at += 4;
      return isIp(buffer, at, end) ? at + 2 : -1;
    }
    case pcapng.LINKTYPE_LINUX_SLL:
      return isIp(buffer, start + 14, end) ? start + 16 : -1;
    case pcapng.LINKTYPE_LINUX_SLL2:
      return isIp(buffer, start, end) ? start + 20 : -1;
    case pcapng.LINKTYPE_NULL:
      // The family's number differs between systems, and so does its byte order; the IP version tells enough.
      return start + 4;
    default:
      return -1;
  }
}

function isIp(buffer: Uint8Array, at: number, end: number): boolean {
  if (at + 2 > end) return false;
  const type = uint16(buffer, at);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6;
}

function parseIpv4(buffer: Uint8Array, at: number, end: number, into: ParsedPacket): boolean {
  if (at + 20 > end) return false;
  const headerOctets = (buffer[at]! & 0x0f) * 4;
  if (headerOctets < 20) return false;
  // More fragments, or an offset: not a whole packet.
  if ((uint16(buffer, at + 6) & 0x3fff) !== 0) return false;
  const totalOctets = uint16(buffer, at + 2);
  into.addressOctets = 4;
  into.sourceAddressAt = at + 12;
  into.destinationAddressAt = at + 16;
  // 0 is what captures of segmentation offload show.
  const packetEnd = totalOctets === 0 ? end : Math.min(end, at + totalOctets);
  return parseTransport(buffer, at + headerOctets, packetEnd, buffer[at + 9]!, into);
}

function parseIpv6(buffer: Uint8Array, at: number, end: number, into: ParsedPacket): boolean {
  if (at + 40 > end) return false;
  const payloadOctets = uint16(buffer, at + 4);
  const packetEnd = payloadOctets === 0 ? end : Math.min(end, at + 40 + payloadOctets);
  let protocol = buffer[at + 6]!;
  let next = at + 40;
  while (IPV6_EXTENSIONS.has(protocol)) {
    if (next + 8 > packetEnd) return false;
    protocol = buffer[next]!;
    next += 8 + buffer[next + 1]! * 8;
  }
  into.addressOctets = 16;
  into.sourceAddressAt = at + 8;
  into.destinationAddressAt = at + 24;
  return parseTransport(buffer, next, packetEnd, protocol, into);
}

function parseTransport(buffer: Uint8Array, at: number, end: number, protocol: number, into: ParsedPacket): boolean {
  if (protocol === PROTOCOL_UDP) {
    if (at + 8 > end) return false;
    const length = uint16(buffer, at + 4);
    into.protocol = 'udp';
    into.payloadStart = at + 8;
    into.payloadEnd = length >= 8 ? Math.min(end, at + length) : end;
  } else if (protocol === PROTOCOL_TCP) {
    if (at + 20 > end) return false;
    const headerOctets = (buffer[at + 12]! >>> 4) * 4;
    if (headerOctets < 20 || at + headerOctets > end) return false;
    into.protocol = 'tcp';
    into.tcpSequence = (uint16(buffer, at + 4) * 65536 + uint16(buffer, at + 6)) >>> 0;
    into.payloadStart = at + headerOctets;
    into.payloadEnd = end;
  } else {
    return false;
  }
  into.sourcePort = uint16(buffer, at);
  into.destinationPort = uint16(buffer, at + 2);
  return true;
}

function uint16(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 8) | buffer[at + 1]!;
}
