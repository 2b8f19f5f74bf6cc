// A whole journal as plain values, and its octets as a file.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { formatHostPort } from '../../src/journal/ip-address.ts';
import { type JournalInterface, JournalReader } from '../../src/journal/reader.ts';
import type { JournalWriter } from '../../src/journal/writer.ts';

export interface ReadPacket {
  interfaceName: string;
  timeMs: number;
  protocol: 'udp' | 'tcp';
  source: string;
  destination: string;
  /** One character per octet. */
  payload: string;
}

export interface ReadJournal {
  packets: ReadPacket[];
  interfaces: readonly JournalInterface[];
  /** Of each packet that is a TCP segment. */
  tcpSequences: number[];
  truncated: boolean;
  skippedOctets: number;
  wholeOctets: number;
  ignored: number;
}

/** Reads to the end. Throws if the reader hands out more packets than the file has room for, or offsets outside its buffer. */
export function readJournal(path: string): ReadJournal {
  const most = statSync(path).size / 32;
  using reader = new JournalReader(path);
  const packets: ReadPacket[] = [];
  const tcpSequences: number[] = [];
  while (reader.next()) {
    packets.push(packetOf(reader));
    if (reader.protocol === 'tcp') tcpSequences.push(reader.tcpSequence);
    // A journal may grow while it is read.
    if (packets.length > most && packets.length > statSync(path).size / 32)
      throw new Error('more packets than fit into the file');
  }
  if (reader.next()) throw new Error('a packet behind the end');
  const { truncated, skippedOctets, wholeOctets, ignored } = reader;
  const interfaces = reader.interfaces.map(({ interfaceId, name, description, linkType }) => ({
    interfaceId,
    name,
    description,
    linkType,
  }));
  return { packets, interfaces, tcpSequences, truncated, skippedOctets, wholeOctets, ignored };
}

function packetOf(reader: JournalReader): ReadPacket {
  const { interfaceName, timeMs, protocol, buffer, payloadStart, payloadEnd } = reader;
  if (!(payloadStart >= 0 && payloadStart <= payloadEnd && payloadEnd <= buffer.length)) {
    throw new Error(`payload ${payloadStart} to ${payloadEnd} of ${buffer.length}`);
  }
  return {
    interfaceName,
    timeMs,
    protocol,
    source: formatHostPort(reader.sourceHost(), reader.sourcePort),
    destination: formatHostPort(reader.destinationHost(), reader.destinationPort),
    payload: buffer.toString('latin1', payloadStart, payloadEnd),
  };
}

/** A file that all tests of the calling file share in turn. */
export function journalFile(): { path: string; read: (octets: Uint8Array) => ReadJournal } {
  const directory = mkdtempSync(join(tmpdir(), 'sipreel-journal-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'capture.pcapng');
  return {
    path,
    read: (octets) => {
      writeFileSync(path, octets);
      return readJournal(path);
    },
  };
}

/** A copy of what was written since the last time. */
export function takeAll(writer: JournalWriter): Buffer {
  const { buffer, octets } = writer.take(Buffer.alloc(0));
  return Buffer.from(buffer.subarray(0, octets));
}

/** Where each block of a sound little-endian journal ends. */
export function blockEnds(journal: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at < journal.length; ) {
    at += journal.readUInt32LE(at + 4);
    ends.push(at);
  }
  return ends;
}
