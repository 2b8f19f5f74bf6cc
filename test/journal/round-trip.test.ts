// Whatever is written is read: any mixture of sections, interfaces, datagrams and SIP messages.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatHostPort } from '../../src/journal/ip-address.ts';
import type { SipMessage } from '../../src/journal/sip-packets.ts';
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import { blockEnds, journalFile, type ReadPacket, takeAll } from './read-journal.ts';

const file = journalFile();

type Write =
  | { kind: 'section' }
  | { kind: 'interface'; name: string; description: string }
  | { kind: 'datagram'; timeMs: number; hosts: number; port: number; pick: number; payload: Uint8Array }
  | { kind: 'sip'; message: Omit<SipMessage, 'local' | 'remote'>; hosts: number; port: number }
  | { kind: 'take'; spareOctets: number };

/** Sender and receiver as they are given, and as they are read. */
const HOSTS = [
  { from: '192.0.2.1', to: '198.51.100.9' },
  { from: '2001:db8::1', to: 'fe80::1:0:0:9' },
  { from: '::ffff:192.0.2.7', to: '192.0.2.9', readFrom: '192.0.2.7' },
  { from: '192.0.2.1', to: '::', readTo: '0.0.0.0' },
  { from: '2001:db8::1', to: '0.0.0.0', readTo: '::' },
];

const timeMs = fc.double({ min: Date.UTC(2000), max: Date.UTC(2100), noNaN: true });
const port = fc.integer({ min: 0, max: 0xffff });
const hosts = fc.nat(HOSTS.length - 1);
const octets = (maxLength: number) =>
  fc
    .tuple(fc.nat(maxLength), fc.nat(255))
    .map(([length, first]) => Uint8Array.from({ length }, (_, index) => first + index * 3));
const name = fc.string({ unit: fc.constantFrom('s', '0', 'ä', ' ', '\u0000'), maxLength: 12 });

const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('section' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('interface' as const), name, description: name }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('datagram' as const),
      timeMs,
      hosts,
      port,
      pick: fc.nat(1000),
      payload: fc.oneof({ weight: 9, arbitrary: octets(300) }, { weight: 1, arbitrary: octets(65_507) }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('sip' as const),
      hosts,
      // Few, so that connections are used again.
      port: fc.integer({ min: 5060, max: 5062 }),
      message: fc.record({
        timeMs,
        direction: fc.constantFrom('received' as const, 'sent' as const),
        transport: fc.constantFrom('udp' as const, 'tcp' as const, 'tls' as const),
        message: fc.oneof({ weight: 5, arbitrary: octets(2000) }, { weight: 1, arbitrary: octets(100_000) }),
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const), spareOctets: fc.nat(3000) }) },
);
const writes = fc.array(write, { minLength: 1, maxLength: 80, size: 'max' });

function ends(pick: number, from: number, to: number) {
  const { from: source, to: destination, readFrom = source, readTo = destination } = HOSTS[pick]!;
  return {
    source: { host: source, port: from },
    destination: { host: destination, port: to },
    readSource: formatHostPort(readFrom, from),
    readDestination: formatHostPort(readTo, to),
  };
}

test('any sequence of writes', () => {
  fc.assert(
    fc.property(writes, fc.nat(2000), (plan, initialOctets) => {
      const writer = new JournalWriter(initialOctets);
      const parts: Buffer[] = [];
      const expected: ReadPacket[] = [];
      const streams: string[] = [];
      let segments = 0;
      writer.beginSection();
      for (const step of plan) {
        switch (step.kind) {
          case 'section':
            writer.beginSection();
            streams.length = 0;
            break;
          case 'interface':
            streams[writer.addInterface(step.name, step.description)] = step.name;
            break;
          case 'datagram': {
            const ids = Object.keys(streams).map(Number);
            if (ids.length === 0) break;
            const id = ids[step.pick % ids.length]!;
            const { source, destination, readSource, readDestination } = ends(step.hosts, step.port, 40_000);
            const { payload } = step;
            expect(
              writer.writeDatagram(id, step.timeMs, datagramFlow(source, destination), payload, 0, payload.length),
            ).toBe(true);
            expected.push({
              interfaceName: streams[id]!,
              timeMs: step.timeMs,
              protocol: 'udp',
              source: readSource,
              destination: readDestination,
              payload: Buffer.from(payload).toString('latin1'),
            });
            break;
          }
          case 'sip': {
            const { message, hosts: pick } = step;
            const { source, destination, readSource, readDestination } = ends(pick, step.port, 5060);
            const received = message.direction === 'received';
            const [remote, local] = received ? [source, destination] : [destination, source];
            writer.writeSip({ ...message, local, remote });
            const protocol = message.transport === 'udp' && message.message.length <= 65_000 ? 'udp' : 'tcp';
            const whole = Buffer.from(message.message).toString('latin1');
            const pieces = protocol === 'udp' ? [whole] : (whole.match(/[\s\S]{1,32768}/g) ?? []);
            if (protocol === 'tcp') segments += pieces.length;
            const addresses = { source: readSource, destination: readDestination };
            for (const payload of pieces) {
              expected.push({ interfaceName: 'sip', timeMs: message.timeMs, protocol, ...addresses, payload });
            }
            break;
          }
          case 'take': {
            const { buffer, octets: length } = writer.take(Buffer.alloc(step.spareOctets, 0xff));
            parts.push(Buffer.from(buffer.subarray(0, length)));
          }
        }
      }
      const journal = Buffer.concat([...parts, takeAll(writer)]);
      expect(blockEnds(journal).at(-1)).toBe(journal.length);
      const { packets, tcpSequences, truncated, skippedOctets, wholeOctets, ignored } = file.read(journal);
      expect({ truncated, skippedOctets, wholeOctets, ignored }).toEqual({
        truncated: false,
        skippedOctets: 0,
        wholeOctets: journal.length,
        ignored: 0,
      });
      // One by one, since a failing comparison of everything at once takes minutes to describe.
      expect(packets.length).toBe(expected.length);
      packets.forEach((packet, index) => {
        const wanted = expected[index]!;
        if (packet.payload !== wanted.payload) throw new Error(`packet ${index}: another payload`);
        expect({ ...packet, payload: '' }).toEqual({ ...wanted, payload: '' });
      });
      expect(tcpSequences.length).toBe(segments);
    }),
    { numRuns: 40 },
  );
});

test('TCP streams can be put together again from their sequence numbers', () => {
  const sent = fc.array(
    fc.record({ direction: fc.constantFrom('received' as const, 'sent' as const), message: octets(80_000) }),
    {
      minLength: 1,
      maxLength: 12,
      size: 'max',
    },
  );
  fc.assert(
    fc.property(sent, timeMs, (messages, startMs) => {
      const writer = new JournalWriter();
      writer.beginSection();
      const ours = { host: '192.0.2.9', port: 5061 };
      const theirs = { host: '192.0.2.1', port: 50_000 };
      for (const message of messages)
        writer.writeSip({ timeMs: startMs, transport: 'tls', local: ours, remote: theirs, ...message });
      const { packets, tcpSequences } = file.read(takeAll(writer));
      for (const direction of ['received', 'sent'] as const) {
        const whole = Buffer.concat(
          messages.filter((each) => each.direction === direction).map(({ message }) => message),
        );
        const source = direction === 'received' ? '192.0.2.1:50000' : '192.0.2.9:5061';
        const first = (Math.floor(startMs) * 64) % 2 ** 32;
        const put = Buffer.alloc(whole.length);
        packets.forEach(({ source: from, payload }, index) => {
          if (from === source) put.write(payload, (tcpSequences[index]! - first) >>> 0, 'latin1');
        });
        expect(put.equals(whole)).toBe(true);
      }
    }),
    { numRuns: 20 },
  );
});
