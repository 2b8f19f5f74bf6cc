// Reads UDP datagrams from a classic pcap file (Ethernet, Linux cooked or raw IP; IPv4), as tcpdump writes it.

export interface CapturedDatagram {
  /** Unix ms with a fraction. */
  timeMs: number;
  source: { host: string; port: number };
  destination: { host: string; port: number };
  /** A view into the file. */
  payload: Buffer;
}

const FILE_HEADER_OCTETS = 24;
const RECORD_HEADER_OCTETS = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_UDP = 17;
/** Octets before the IP header and where its EtherType stands, by link type (https://www.tcpdump.org/linktypes.html). */
const LINKS: Record<number, { ipStart: number; etherTypeAt: number | null }> = {
  1: { ipStart: 14, etherTypeAt: 12 },
  101: { ipStart: 0, etherTypeAt: null },
  113: { ipStart: 16, etherTypeAt: 14 },
  276: { ipStart: 20, etherTypeAt: 0 },
};

/** All UDP datagrams of the file, in its order. Whatever else it holds is left out. IP fragments are left out too: a loopback capture has none. Throws if it is no pcap. */
export function readPcap(file: Buffer): CapturedDatagram[] {
  const littleEndian = file.length >= FILE_HEADER_OCTETS && isMagic(file.readUInt32LE(0));
  if (!littleEndian && !(file.length >= FILE_HEADER_OCTETS && isMagic(file.readUInt32BE(0))))
    throw new Error('not a pcap file');
  const read = (at: number): number => (littleEndian ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const fractionsPerMs = read(0) === MAGIC_NANOSECONDS ? 1e6 : 1e3;
  const link = LINKS[read(20) & 0x0fff_ffff];
  if (!link) throw new Error(`link type ${read(20)} is not supported`);
  const datagrams: CapturedDatagram[] = [];
  for (let at = FILE_HEADER_OCTETS; at + RECORD_HEADER_OCTETS <= file.length; ) {
    const timeMs = read(at) * 1000 + read(at + 4) / fractionsPerMs;
    const frame = file.subarray(at + RECORD_HEADER_OCTETS, at + RECORD_HEADER_OCTETS + read(at + 8));
    at += RECORD_HEADER_OCTETS + frame.length;
    if (link.etherTypeAt !== null && frame.readUInt16BE(link.etherTypeAt) !== ETHERTYPE_IPV4) continue;
    const datagram = readIpv4(frame.subarray(link.ipStart), timeMs);
    if (datagram) datagrams.push(datagram);
  }
  return datagrams;
}

function isMagic(value: number): boolean {
  return value === MAGIC_MICROSECONDS || value === MAGIC_NANOSECONDS;
}

function readIpv4(packet: Buffer, timeMs: number): CapturedDatagram | null {
  if (packet.length < 20 || packet[0]! >> 4 !== 4 || packet[9] !== PROTOCOL_UDP) return null;
  const headerOctets = (packet[0]! & 15) * 4;
  const isFragment = (packet.readUInt16BE(6) & 0x3fff) !== 0;
  const udp = packet.subarray(headerOctets, packet.readUInt16BE(2));
  if (isFragment || udp.length < 8) return null;
  return {
    timeMs,
    source: { host: packet.subarray(12, 16).join('.'), port: udp.readUInt16BE(0) },
    destination: { host: packet.subarray(16, 20).join('.'), port: udp.readUInt16BE(2) },
    payload: udp.subarray(8, udp.readUInt16BE(4)),
  };
}
