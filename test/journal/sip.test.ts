import { describe, expect, test } from 'vitest';
import { MAX_SIP_DATAGRAM_OCTETS, type SipMessage, SipPackets } from '../../src/journal/sip-packets.ts';
import { JournalWriter } from '../../src/journal/writer.ts';
import { onesComplementSum, pseudoHeader } from './frames.ts';
import { journalFile, takeAll } from './read-journal.ts';

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const LOCAL = { host: '192.0.2.9', port: 5060 };
const REMOTE = { host: '198.51.100.1', port: 5070 };
const file = journalFile();

function message(change: Partial<SipMessage> & { text?: string }): SipMessage {
  const { text = 'OPTIONS sip:a SIP/2.0\r\n\r\n', ...rest } = change;
  return {
    timeMs: NOON_MS,
    direction: 'received',
    transport: 'udp',
    local: LOCAL,
    remote: REMOTE,
    message: Buffer.from(text),
    ...rest,
  };
}

/** Octets of a message that is longer than any datagram, without two equal neighbours. */
const long = (octets: number) => 'INVITE '.padEnd(octets, '0123456789abcdefghijklmnopqrstuvwxyz\r\n');

function written(...messages: SipMessage[]) {
  const writer = new JournalWriter();
  writer.beginSection();
  for (const each of messages) writer.writeSip(each);
  return takeAll(writer);
}

describe('over UDP', () => {
  test('a message is a datagram between the real addresses, in the direction it went', () => {
    const { packets } = file.read(
      written(
        message({ text: 'INVITE' }),
        message({ text: 'SIP/2.0 200 OK', direction: 'sent', timeMs: NOON_MS + 1 }),
        message({ text: '', timeMs: NOON_MS + 2 }),
      ),
    );
    const common = { interfaceName: 'sip', protocol: 'udp' };
    const [there, back] = ['198.51.100.1:5070', '192.0.2.9:5060'];
    expect(packets).toEqual([
      { ...common, timeMs: NOON_MS, source: there, destination: back, payload: 'INVITE' },
      { ...common, timeMs: NOON_MS + 1, source: back, destination: there, payload: 'SIP/2.0 200 OK' },
      { ...common, timeMs: NOON_MS + 2, source: there, destination: back, payload: '' },
    ]);
  });

  test('IPv6', () => {
    const { packets } = file.read(
      written(message({ local: { host: '::1', port: 5060 }, remote: { host: '2001:db8::7', port: 5061 } })),
    );
    expect(packets).toMatchObject([{ source: '[2001:db8::7]:5061', destination: '[::1]:5060', protocol: 'udp' }]);
  });

  test('the longest datagram, and one octet more, which is shown as TCP', () => {
    const { packets } = file.read(
      written(message({ text: long(MAX_SIP_DATAGRAM_OCTETS) }), message({ text: long(MAX_SIP_DATAGRAM_OCTETS + 1) })),
    );
    expect(packets.map(({ protocol, payload }) => [protocol, payload.length])).toEqual([
      ['udp', 65_000],
      ['tcp', 32_768],
      ['tcp', 32_233],
    ]);
    expect(packets[0]!.payload).toBe(long(65_000));
    expect(packets[1]!.payload + packets[2]!.payload).toBe(long(65_001));
  });
});

describe('over TCP and TLS', () => {
  const packetsOf = (sip: SipPackets, change: Parameters<typeof message>[0]) =>
    sip.packetsFor(message({ transport: 'tcp', ...change })).map((packet) => {
      if (packet.protocol !== 'tcp') throw new Error('not TCP');
      return [packet.sequence, packet.acknowledged, packet.payload.length];
    });

  test('sequence numbers go on per direction and acknowledge the other one', () => {
    const sip = new SipPackets();
    const [[first]] = packetsOf(sip, { text: 'x'.repeat(100) }) as [[number]];
    expect(first).toBe((NOON_MS * 64) % 2 ** 32);
    const next = [
      packetsOf(sip, { direction: 'sent', text: 'y'.repeat(50) }),
      packetsOf(sip, { text: 'x'.repeat(70_000) }),
      packetsOf(sip, { direction: 'sent', transport: 'tls', text: 'y' }),
    ];
    expect(next).toEqual([
      [[first, first + 100, 50]],
      [
        [first + 100, first + 50, 32_768],
        [first + 32_868, first + 50, 32_768],
        [first + 65_636, first + 50, 4464],
      ],
      [[first + 50, first + 70_100, 1]],
    ]);
  });

  test('they wrap', () => {
    const sip = new SipPackets();
    // The first number is 64 below 2^32.
    const timeMs = 2 ** 26 * 3 - 1;
    expect(packetsOf(sip, { timeMs, text: 'x'.repeat(100) })).toEqual([[2 ** 32 - 64, 2 ** 32 - 64, 100]]);
    expect(packetsOf(sip, { timeMs, text: 'x' })).toEqual([[36, 2 ** 32 - 64, 1]]);
  });

  test('each connection counts for itself, and later ones begin higher', () => {
    const sip = new SipPackets();
    const [[first]] = packetsOf(sip, {}) as [[number]];
    const other = { remote: { ...REMOTE, port: 5071 }, timeMs: NOON_MS + 1000 };
    expect(packetsOf(sip, other)).toEqual([[first + 64_000, first + 64_000, 25]]);
    expect(packetsOf(sip, {})).toEqual([[first + 25, first, 25]]);
    sip.forget();
    expect(packetsOf(sip, { timeMs: NOON_MS + 1000 })).toEqual([[first + 64_000, first + 64_000, 25]]);
  });

  test('of many connections at once some begin again, higher', () => {
    const sip = new SipPackets();
    const [[first]] = packetsOf(sip, {}) as [[number]];
    for (let port = 1; port <= 64; port++) packetsOf(sip, { local: { ...LOCAL, port } });
    expect(packetsOf(sip, { timeMs: NOON_MS + 1 })).toEqual([[first + 64, first + 64, 25]]);
  });

  test.each([
    ['IPv4', LOCAL, REMOTE, 20],
    ['IPv6', { host: '::1', port: 5061 }, { host: '2001:db8::1', port: 40_000 }, 40],
  ])('segments (RFC 9293 §3.1) over %s have right checksums', (_name, local, remote, headerOctets) => {
    const journal = written(message({ transport: 'tls', local, remote, text: long(33_001) }));
    const sizes: number[] = [];
    for (let at = 0; at < journal.length; at += journal.readUInt32LE(at + 4)) {
      if (journal.readUInt32LE(at) !== 6) continue;
      const packet = journal.subarray(at + 28, at + 28 + journal.readUInt32LE(at + 20));
      const segment = packet.subarray(headerOctets);
      sizes.push(segment.length - 20);
      expect(onesComplementSum(pseudoHeader(packet), segment)).toBe(0);
      if (headerOctets === 20) expect(onesComplementSum(packet.subarray(0, 20))).toBe(0);
      // Five words, PSH and ACK, full window, nothing urgent.
      expect(segment.subarray(12, 16).toString('hex') + segment.subarray(18, 20).toString('hex')).toBe('5018ffff0000');
    }
    expect(sizes).toEqual([32_768, 233]);
  });

  test('are read back with their sequence numbers', () => {
    const sip = new SipPackets();
    const sent = message({ transport: 'tcp', text: long(40_000) });
    const expected = packetsOf(sip, { text: long(40_000) });
    const { packets, tcpSequences } = file.read(written(sent));
    expect(packets.map(({ source, destination, timeMs }) => [source, destination, timeMs])).toEqual([
      ['198.51.100.1:5070', '192.0.2.9:5060', NOON_MS],
      ['198.51.100.1:5070', '192.0.2.9:5060', NOON_MS],
    ]);
    expect(packets.map(({ payload }) => payload).join('')).toBe(long(40_000));
    expect(tcpSequences).toEqual(expected.map(([sequence]) => sequence));
  });

  test('begin anew in each section', () => {
    const writer = new JournalWriter();
    const firstNumbers = [0, 1000].map((laterMs) => {
      writer.beginSection();
      writer.writeSip(message({ transport: 'tcp', timeMs: NOON_MS + laterMs }));
      writer.writeSip(message({ transport: 'tcp', timeMs: NOON_MS + laterMs }));
      return (NOON_MS * 64 + laterMs * 64) % 2 ** 32;
    });
    const { tcpSequences } = file.read(takeAll(writer));
    expect(tcpSequences).toEqual(firstNumbers.flatMap((first) => [first, first + 25]));
  });

  test('an empty message is nothing', () => {
    expect(packetsOf(new SipPackets(), { text: '' })).toEqual([]);
  });
});

test('the interface is described once per section, when it is first needed', () => {
  const writer = new JournalWriter();
  for (let section = 0; section < 2; section++) {
    writer.beginSection();
    expect(writer.addInterface('s0', '')).toBe(0);
    writer.writeSip(message({}));
    expect(writer.addInterface('s1', '')).toBe(2);
    writer.writeSip(message({ transport: 'tcp' }));
  }
  expect(file.read(takeAll(writer)).interfaces).toEqual(
    [0, 1].flatMap((section) => [
      { interfaceId: 3 * section, name: 's0', description: '', linkType: 101 },
      { interfaceId: 3 * section + 1, name: 'sip', description: 'SIP signalling', linkType: 101 },
      { interfaceId: 3 * section + 2, name: 's1', description: '', linkType: 101 },
    ]),
  );
});
