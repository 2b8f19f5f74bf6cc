// Builds captured packets layer by layer, and sums up checksums in a way of their own.

export interface Hosts {
  /** Octets of the addresses, 4 or 16 each. */
  from: readonly number[];
  to: readonly number[];
}

export const V4: Hosts = { from: [192, 0, 2, 1], to: [198, 51, 100, 9] };
export const V6: Hosts = {
  from: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  to: [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4],
};

export const uint16 = (...values: number[]) => values.flatMap((value) => [(value >> 8) & 255, value & 255]);

export function udp(sourcePort: number, destinationPort: number, payload: Uint8Array, length = 8 + payload.length) {
  return Buffer.from([...uint16(sourcePort, destinationPort, length, 0), ...payload]);
}

/** @param options octets between the fixed header and the payload, a multiple of four */
export function tcp(
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  payload: Uint8Array,
  options: number[] = [],
) {
  const words = 5 + options.length / 4;
  return Buffer.from([
    ...uint16(sourcePort, destinationPort, sequence >>> 16, sequence & 0xffff, 0, 0),
    ...[words << 4, 0x18, ...uint16(0xffff, 0, 0)],
    ...options,
    ...payload,
  ]);
}

/** RFC 791; the checksum stays 0. */
export function ipv4(protocol: number, content: Uint8Array, hosts = V4, header: Partial<Ipv4Header> = {}) {
  const { options = [], fragment = 0, totalOctets = 20 + options.length + content.length } = header;
  return Buffer.from([
    0x45 + options.length / 4,
    0,
    ...uint16(totalOctets, 0, fragment),
    ...[64, protocol, 0, 0],
    ...hosts.from,
    ...hosts.to,
    ...options,
    ...content,
  ]);
}

interface Ipv4Header {
  options: number[];
  /** Flags and offset. */
  fragment: number;
  totalOctets: number;
}

/** RFC 8200. Extension headers are given as `[protocol, octets behind the next-header field]`. */
export function ipv6(
  protocol: number,
  content: Uint8Array,
  hosts = V6,
  extensions: (readonly [protocol: number, rest: readonly number[]])[] = [],
) {
  const chain = extensions.flatMap(([, rest], index) => [extensions[index + 1]?.[0] ?? protocol, ...rest]);
  const first = extensions[0]?.[0] ?? protocol;
  const length = chain.length + content.length;
  return Buffer.from([0x60, 0, 0, 0, ...uint16(length), first, 64, ...hosts.from, ...hosts.to, ...chain, ...content]);
}

export const ETHERNET = 1;
export const LINUX_SLL = 113;
export const LINUX_SLL2 = 276;
export const BSD_NULL = 0;
export const RAW = 101;
export const RAW_IPV4 = 228;
export const RAW_IPV6 = 229;

const MACS = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const etherType = (packet: Uint8Array) => (packet[0]! >> 4 === 6 ? 0x86dd : 0x0800);

/** @param tags VLAN tags: `[EtherType, tag control]` */
export function ethernet(packet: Uint8Array, tags: (readonly [number, number])[] = [], type = etherType(packet)) {
  return Buffer.from([...MACS, ...uint16(...tags.flat(), type), ...packet]);
}

/** https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html */
export function cooked(packet: Uint8Array, type = etherType(packet)) {
  return Buffer.from([...uint16(0, 1, 6), 2, 0, 0, 0, 0, 1, 0, 0, ...uint16(type), ...packet]);
}

/** https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html */
export function cooked2(packet: Uint8Array, type = etherType(packet)) {
  return Buffer.from([...uint16(type, 0, 0, 1, 1), 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, ...packet]);
}

/** https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html, from a little-endian machine */
export function loopback(packet: Uint8Array) {
  return Buffer.from([packet[0]! >> 4 === 6 ? 30 : 2, 0, 0, 0, ...packet]);
}

/**
 * The one's complement sum of 16-bit words (RFC 1071), taken as one long number modulo 65535. Octets that contain their
 * own right checksum give 0.
 */
export function onesComplementSum(...parts: Uint8Array[]): number {
  const octets = Buffer.concat(
    parts.map((part) => (part.length % 2 === 0 ? part : Buffer.concat([part, Buffer.alloc(1)]))),
  );
  return Number(BigInt(`0x${octets.toString('hex') || '0'}`) % 0xffffn);
}

/** What a transport checksum covers besides the segment (RFC 793, RFC 8200 §8.1). */
export function pseudoHeader(packet: Uint8Array): Buffer {
  const isV6 = packet[0]! >> 4 === 6;
  const [addresses, protocol, length] = isV6
    ? [packet.subarray(8, 40), packet[6]!, packet.length - 40]
    : [packet.subarray(12, 20), packet[9]!, packet.length - 20];
  return Buffer.from([...addresses, 0, 0, ...uint16(length), 0, 0, 0, protocol]);
}
