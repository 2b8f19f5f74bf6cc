// Captures of other programs: link layers, transports and what is left out of them.
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { describe, expect, test } from 'vitest';
import { formatHostPort, parseIpAddress } from '../../src/journal/ip-address.ts';
import { ParsedPacket, parsePacket } from '../../src/journal/packet-parser.ts';
import { readPcap } from '../support/pcap.ts';
import { Blocks, type ByteOrder } from './blocks.ts';
import * as frames from './frames.ts';
import { journalFile } from './read-journal.ts';

const file = journalFile();

/** What is found in a packet, with addresses and payload in hexadecimal. Null if it is left out. */
function parse(packet: Uint8Array, linkType: number, start = 0, end = packet.length) {
  const into = new ParsedPacket();
  const buffer = Buffer.from(packet);
  if (!parsePacket(buffer, start, end, linkType, into)) return null;
  const { protocol, sourcePort, destinationPort, addressOctets } = into;
  return {
    protocol,
    from: buffer.toString('hex', into.sourceAddressAt, into.sourceAddressAt + addressOctets),
    to: buffer.toString('hex', into.destinationAddressAt, into.destinationAddressAt + addressOctets),
    ports: [sourcePort, destinationPort],
    payload: buffer.toString('latin1', into.payloadStart, into.payloadEnd),
    ...(protocol === 'tcp' && { tcpSequence: into.tcpSequence }),
  };
}

const HELLO = Buffer.from('hello');
const hexOf = (octets: readonly number[]) => Buffer.from(octets).toString('hex');
const found = (hosts: frames.Hosts, ports = [5000, 65_001]) => ({
  protocol: 'udp',
  from: hexOf(hosts.from),
  to: hexOf(hosts.to),
  ports,
  payload: 'hello',
});
const V4_PACKET = frames.ipv4(17, frames.udp(5000, 65_001, HELLO));
const V6_PACKET = frames.ipv6(17, frames.udp(5000, 65_001, HELLO));

describe('link layers (tcpdump.org/linktypes.html)', () => {
  const LAYERS: [string, number, (packet: Uint8Array) => Buffer][] = [
    ['Ethernet', frames.ETHERNET, (packet) => frames.ethernet(packet)],
    ['Ethernet with a VLAN tag', frames.ETHERNET, (packet) => frames.ethernet(packet, [[0x8100, 0x6064]])],
    [
      'Ethernet with two tags (802.1ad)',
      frames.ETHERNET,
      (packet) =>
        frames.ethernet(packet, [
          [0x88a8, 1],
          [0x8100, 2],
        ]),
    ],
    [
      'Ethernet with two tags (QinQ)',
      frames.ETHERNET,
      (packet) =>
        frames.ethernet(packet, [
          [0x9100, 1],
          [0x8100, 2],
        ]),
    ],
    ['Linux cooked v1', frames.LINUX_SLL, (packet) => frames.cooked(packet)],
    ['Linux cooked v2', frames.LINUX_SLL2, (packet) => frames.cooked2(packet)],
    ['BSD loopback', frames.BSD_NULL, (packet) => frames.loopback(packet)],
    ['raw IP', frames.RAW, (packet) => Buffer.from(packet)],
  ];

  test.each(LAYERS)('%s', (_name, linkType, wrap) => {
    expect(parse(wrap(V4_PACKET), linkType)).toEqual(found(frames.V4));
    expect(parse(wrap(V6_PACKET), linkType)).toEqual(found(frames.V6));
  });

  test.each(LAYERS)('%s, from within a buffer, cut at every octet', (_name, linkType, wrap) => {
    for (const packet of [V4_PACKET, V6_PACKET]) {
      const frame = wrap(packet);
      const buffer = Buffer.concat([Buffer.alloc(3, 0x45), frame, Buffer.alloc(40, 0x45)]);
      const payloadAt = 3 + frame.length - 5;
      for (let end = 3; end <= 3 + frame.length; end++) {
        const payload = end >= payloadAt ? 'hello'.slice(0, end - payloadAt) : null;
        expect(parse(buffer, linkType, 3, end)?.payload ?? null).toBe(payload);
      }
    }
  });

  test('raw IP of one version', () => {
    expect(parse(V4_PACKET, frames.RAW_IPV4)).toEqual(found(frames.V4));
    expect(parse(V6_PACKET, frames.RAW_IPV6)).toEqual(found(frames.V6));
  });

  test('other link types, other EtherTypes and other IP versions are left out', () => {
    expect(parse(frames.ethernet(V4_PACKET), 105)).toBeNull();
    expect(parse(frames.ethernet(V4_PACKET, [], 0x0806), frames.ETHERNET)).toBeNull();
    expect(parse(frames.cooked(V4_PACKET, 0x0806), frames.LINUX_SLL)).toBeNull();
    expect(parse(frames.cooked2(V4_PACKET, 0x0806), frames.LINUX_SLL2)).toBeNull();
    for (const version of [0, 1, 5, 7, 15]) {
      const packet = Buffer.from(V4_PACKET);
      packet[0] = (version << 4) | 5;
      expect(parse(packet, frames.RAW)).toBeNull();
    }
  });

  test('Ethernet padding is no payload', () => {
    const short = frames.ethernet(frames.ipv4(17, frames.udp(5000, 65_001, Buffer.from('a'))));
    expect(parse(Buffer.concat([short, Buffer.alloc(17)]), frames.ETHERNET)).toMatchObject({ payload: 'a' });
  });

  test('tags to the end of the frame', () => {
    const tags = Array.from({ length: 50 }, () => [0x8100, 1] as const);
    expect(parse(frames.ethernet(Buffer.alloc(0), tags, 0x8100), frames.ETHERNET)).toBeNull();
  });
});

describe('IPv4 (RFC 791)', () => {
  const content = frames.udp(5000, 65_001, HELLO);

  test('with options', () => {
    const packet = frames.ipv4(17, content, frames.V4, { options: [7, 7, 4, 0, 0, 0, 0, 0] });
    expect(parse(packet, frames.RAW)).toEqual(found(frames.V4));
  });

  test.each([
    ['the first fragment', 0x2000],
    ['a middle one', 0x2010],
    ['the last one', 0x0010],
  ])('%s is left out', (_name, fragment) => {
    expect(parse(frames.ipv4(17, content, frames.V4, { fragment }), frames.RAW)).toBeNull();
  });

  test('DF and the reserved bit make no fragment', () => {
    expect(parse(frames.ipv4(17, content, frames.V4, { fragment: 0xc000 }), frames.RAW)).toEqual(found(frames.V4));
  });

  test('a total length of 0, as segmentation offload leaves it, means all that there is', () => {
    expect(parse(frames.ipv4(17, content, frames.V4, { totalOctets: 0 }), frames.RAW)).toEqual(found(frames.V4));
  });

  test.each([1, 19, 20, 27])('a total length of %i has no room for UDP', (totalOctets) => {
    expect(parse(frames.ipv4(17, content, frames.V4, { totalOctets }), frames.RAW)).toBeNull();
  });

  test('a total length beyond the packet: what was captured', () => {
    expect(parse(frames.ipv4(17, content, frames.V4, { totalOctets: 1500 }), frames.RAW)).toEqual(found(frames.V4));
  });

  test('a header shorter than possible, and one longer than the packet', () => {
    for (const words of [0, 4, 15]) {
      const packet = Buffer.from(V4_PACKET);
      packet[0] = 0x40 | words;
      expect(parse(packet, frames.RAW)).toBeNull();
    }
  });

  test.each([1, 2, 50, 132])('protocol %i is left out', (protocol) => {
    expect(parse(frames.ipv4(protocol, content), frames.RAW)).toBeNull();
  });
});

describe('IPv6 (RFC 8200)', () => {
  const content = frames.udp(5000, 65_001, HELLO);
  // Next header is put in by ipv6(); then length in units of eight octets beyond the first, and the rest.
  const EIGHT = [0, 1, 4, 0, 0, 0, 0];
  const SIXTEEN = [1, 1, 12, ...Array(12).fill(0)];

  test('with extension headers', () => {
    const packet = frames.ipv6(17, content, frames.V6, [
      [0, EIGHT],
      [43, SIXTEEN],
      [60, EIGHT],
    ]);
    expect(parse(packet, frames.RAW)).toEqual(found(frames.V6));
  });

  test('a fragment is left out', () => {
    expect(parse(frames.ipv6(17, content, frames.V6, [[44, [0, 0, 1, 0, 0, 0, 1]]]), frames.RAW)).toBeNull();
  });

  test('extension headers cut or beyond the packet', () => {
    const packet = frames.ipv6(17, content, frames.V6, [
      [0, EIGHT],
      [60, SIXTEEN],
    ]);
    for (let end = 0; end < 40 + 8 + 16 + 8; end++) expect(parse(packet, frames.RAW, 0, end)).toBeNull();
    packet[41] = 255;
    expect(parse(packet, frames.RAW)).toBeNull();
  });

  test.each([58, 59, 50])('next header %i is left out', (protocol) => {
    expect(parse(frames.ipv6(protocol, content), frames.RAW)).toBeNull();
  });
});

describe('UDP (RFC 768)', () => {
  test.each([
    ['shorter than the packet', 8 + 2, 'he'],
    ['longer than the packet', 500, 'hello'],
    ['0, as offload leaves it', 0, 'hello'],
    ['shorter than its own header', 7, 'hello'],
  ])('a length that is %s', (_name, length, payload) => {
    const packet = frames.ipv4(17, frames.udp(5000, 65_001, HELLO, length));
    expect(parse(packet, frames.RAW)).toEqual({ ...found(frames.V4), payload });
  });

  test('nothing inside', () => {
    expect(parse(frames.ipv4(17, frames.udp(5000, 65_001, Buffer.alloc(0))), frames.RAW)).toMatchObject({
      payload: '',
    });
  });
});

describe('TCP (RFC 9293)', () => {
  const expected = (hosts: frames.Hosts) => ({
    ...found(hosts, [5060, 40_000]),
    protocol: 'tcp',
    tcpSequence: 0xfedc_ba98,
  });

  test('with and without options', () => {
    const plain = frames.tcp(5060, 40_000, 0xfedc_ba98, HELLO);
    const timestamps = frames.tcp(5060, 40_000, 0xfedc_ba98, HELLO, [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    for (const segment of [plain, timestamps]) {
      expect(parse(frames.ipv4(6, segment), frames.RAW)).toEqual(expected(frames.V4));
      expect(parse(frames.ipv6(6, segment), frames.RAW)).toEqual(expected(frames.V6));
    }
  });

  test('a header cut, too short, or longer than the packet is left out', () => {
    const packet = frames.ipv4(6, frames.tcp(5060, 40_000, 1, HELLO));
    for (let end = 0; end < 40; end++) expect(parse(packet, frames.RAW, 0, end)).toBeNull();
    for (const words of [0, 4, 15]) {
      packet[32] = words << 4;
      expect(parse(packet, frames.RAW)).toBeNull();
    }
  });
});

describe.each(['udp-basic', 'hold-sendonly', 'dtmf-rfc4733'])('the captured call %s', (capture) => {
  const datagrams = readPcap(readFileSync(new URL(`../fixtures/opensips/${capture}/${capture}.pcap`, import.meta.url)));
  const octetsOf = (host: string) => [...parseIpAddress(host)!];

  /** The call as pcapng with times in µs, each packet inside the link layer. */
  function pcapng(order: ByteOrder, linkType: number, wrap: (packet: Uint8Array) => Buffer): Buffer {
    const blocks = new Blocks(order).section([[4, 'dumpcap']]).describe(linkType, [[2, 'any']]);
    for (const { source, destination, payload, timeMs } of datagrams) {
      const hosts = { from: octetsOf(source.host), to: octetsOf(destination.host) };
      const datagram = frames.udp(source.port, destination.port, payload);
      const packet = isIPv6(source.host) ? frames.ipv6(17, datagram, hosts) : frames.ipv4(17, datagram, hosts);
      blocks.packet(0, BigInt(Math.round(timeMs * 1000)), wrap(packet));
    }
    return blocks.bytes;
  }

  test.each<[string, ByteOrder, number, (packet: Uint8Array) => Buffer]>([
    ['Ethernet', 'little', frames.ETHERNET, (packet) => frames.ethernet(packet)],
    ['a VLAN', 'big', frames.ETHERNET, (packet) => frames.ethernet(packet, [[0x8100, 7]])],
    ['Linux cooked v1', 'little', frames.LINUX_SLL, (packet) => frames.cooked(packet)],
    ['Linux cooked v2', 'big', frames.LINUX_SLL2, (packet) => frames.cooked2(packet)],
  ])('inside %s: every datagram', (_name, order, linkType, wrap) => {
    const { packets, truncated, ignored } = file.read(pcapng(order, linkType, wrap));
    expect([truncated, ignored, packets.length]).toEqual([false, 0, datagrams.length]);
    const wrong = packets.filter((packet, index) => {
      const { source, destination, payload, timeMs } = datagrams[index]!;
      return (
        packet.interfaceName !== 'any' ||
        packet.protocol !== 'udp' ||
        Math.abs(packet.timeMs - timeMs) > 0.0005 ||
        packet.source !== formatHostPort(source.host, source.port) ||
        packet.destination !== formatHostPort(destination.host, destination.port) ||
        packet.payload !== payload.toString('latin1')
      );
    });
    expect(wrong).toEqual([]);
  });
});
