// Opens whatever kind of capture a file is.
import { closeSync, openSync, readSync } from 'node:fs';
import type { PacketReader } from './packet-reader.ts';
import { isPcap, PcapReader } from './pcap-reader.ts';
import { SECTION_HEADER_BLOCK } from './pcapng.ts';
import { JournalReader } from './reader.ts';

/** A pcapng or classic pcap file. Throws what opening it throws, or a sentence if it is neither. */
export function openCapture(path: string): PacketReader {
  const head = headOf(path);
  if (isPcap(head)) return new PcapReader(path);
  if (head.length >= 4 && head.readUInt32LE(0) === SECTION_HEADER_BLOCK) return new JournalReader(path);
  throw new Error(`${path} is neither a pcap nor a pcapng file.`);
}

function headOf(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(4);
    return head.subarray(0, readSync(fd, head, 0, 4, 0));
  } finally {
    closeSync(fd);
  }
}
