// Synthesised IP, UDP and TCP headers, so that analysers show a journal like a capture (RFC 791, 8200, 768, 9293).
import { parseIpAddress } from './ip-address.ts';

export const IPV4_HEADER_OCTETS = 20;
export const IPV6_HEADER_OCTETS = 40;
export const UDP_HEADER_OCTETS = 8;
export const TCP_HEADER_OCTETS = 20;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const HOP_LIMIT = 64;
const DONT_FRAGMENT = 0x40;

export interface Endpoint {
  host: string;
  port: number;
}

/** From where to where: the headers of every packet of one direction, but for lengths and checksums. */
export class Flow {
  readonly ipv6: boolean;
  readonly ipHeaderOctets: number;
  /** IP header, then source and destination port, as 32-bit words in this machine's byte order, for copying. */
  readonly words: Int32Array;
  /** Sum of the IPv4 header's 16-bit words without length. */
  readonly headerSum: number;
  /** Sum of the addresses, for the checksum of UDP or TCP. */
  readonly addressSum: number;

  /**
   * Hosts that are no address become the unspecified one. If only one of the two is IPv6, the other is the
   * unspecified address there as well: our own end is often known as a wildcard only.
   */
  constructor(source: Endpoint, destination: Endpoint, protocol: number) {
    let from = parseIpAddress(source.host);
    let to = parseIpAddress(destination.host);
    this.ipv6 = isSpecifiedIpv6(from) || isSpecifiedIpv6(to) || (from?.length === 16 && to?.length === 16);
    const addressOctets = this.ipv6 ? 16 : 4;
    if (from?.length !== addressOctets) from = new Uint8Array(addressOctets);
    if (to?.length !== addressOctets) to = new Uint8Array(addressOctets);
    this.ipHeaderOctets = this.ipv6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS;
    const octets = new Uint8Array(this.ipHeaderOctets + 4);
    octets.set(this.ipv6 ? ipv6Header(from, to, protocol) : ipv4Header(from, to, protocol));
    const ports = [source.port >>> 8, source.port, destination.port >>> 8, destination.port];
    octets.set(ports, this.ipHeaderOctets);
    this.words = new Int32Array(octets.buffer);
    this.headerSum = sumWords(octets, 0, this.ipHeaderOctets);
    this.addressSum = sumWords(octets, this.ipHeaderOctets - 2 * addressOctets, this.ipHeaderOctets);
  }
}

/**
 * Writes the IP header, for `length` octets of transport header and payload, and both ports behind it.
 * `octets` and `words` are the same memory; `at` is a multiple of 4.
 */
export function writeIpHeader(octets: Uint8Array, words: Int32Array, at: number, flow: Flow, length: number): void {
  const template = flow.words;
  const first = at >>> 2;
  for (let i = 0; i < template.length; i++) words[first + i] = template[i]!;
  if (flow.ipv6) {
    octets[at + 4] = length >>> 8;
    octets[at + 5] = length;
    return;
  }
  const total = IPV4_HEADER_OCTETS + length;
  octets[at + 2] = total >>> 8;
  octets[at + 3] = total;
  const checksum = foldChecksum(flow.headerSum + total);
  octets[at + 10] = checksum >>> 8;
  octets[at + 11] = checksum;
}

/** Completes a UDP header, whose ports stand there already, with checksum 0, which IPv4 allows (RFC 768). */
export function writeUdpLength(octets: Uint8Array, at: number, payloadOctets: number): void {
  const length = UDP_HEADER_OCTETS + payloadOctets;
  octets[at + 4] = length >>> 8;
  octets[at + 5] = length;
  octets[at + 6] = 0;
  octets[at + 7] = 0;
}

/** The checksum over `into[start, end)`, transport header and payload, with the flow's pseudo header (RFC 8200 §8.1). */
export function transportChecksum(into: Uint8Array, start: number, end: number, flow: Flow, protocol: number): number {
  const checksum = foldChecksum(flow.addressSum + protocol + (end - start) + sumWords(into, start, end));
  return checksum === 0 ? 0xffff : checksum;
}

/** Completes a TCP header, whose ports stand there already, with PSH and ACK set; its checksum is to be filled in. */
export function writeTcpRest(octets: Uint8Array, at: number, sequence: number, acknowledged: number): void {
  const view = new DataView(octets.buffer, octets.byteOffset + at, TCP_HEADER_OCTETS);
  view.setUint32(4, sequence);
  view.setUint32(8, acknowledged);
  view.setUint16(12, 0x5018);
  view.setUint16(14, 0xffff);
  view.setUint32(16, 0);
}

function ipv4Header(source: Uint8Array, destination: Uint8Array, protocol: number): Uint8Array {
  const header = new Uint8Array(IPV4_HEADER_OCTETS);
  header[0] = 0x45;
  header[6] = DONT_FRAGMENT;
  header[8] = HOP_LIMIT;
  header[9] = protocol;
  header.set(source, 12);
  header.set(destination, 16);
  return header;
}

function ipv6Header(source: Uint8Array, destination: Uint8Array, protocol: number): Uint8Array {
  const header = new Uint8Array(IPV6_HEADER_OCTETS);
  header[0] = 0x60;
  header[6] = protocol;
  header[7] = HOP_LIMIT;
  header.set(source, 8);
  header.set(destination, 24);
  return header;
}

function isSpecifiedIpv6(address: Uint8Array | null): boolean {
  return address?.length === 16 && address.some((octet) => octet !== 0);
}

function sumWords(octets: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at + 1 < end; at += 2) sum += (octets[at]! << 8) | octets[at + 1]!;
  if ((end - start) % 2 !== 0) sum += octets[end - 1]! << 8;
  return sum;
}

function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 65536);
  return ~folded & 0xffff;
}
