// What the end of a journal tells, read backwards: where it can be continued, and when its last packet came.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BLOCK_OVERHEAD_OCTETS, ENHANCED_PACKET_BLOCK, SECTION_HEADER_BLOCK } from './pcapng.ts';
import { timestampReader } from './timestamp.ts';

/** How much of the end of a journal is looked at; the largest block of ours is a quarter of it. */
export const TAIL_OCTETS = 256 << 10;

/** Blocks in a row that have to fit together before the place is believed. */
const WITNESSES = 3;

/**
 * Looks for the last whole block in the final part of a file written on this machine (or one of its byte order).
 * @param tail the file's last octets; it must begin on a 32-bit boundary of the file
 * @param isWholeFile true if `tail` is the complete file
 * @returns the offset in `tail` behind that block, -1 if there is none
 */
export function wholeBlocksEnd(tail: Uint8Array, isWholeFile: boolean): number {
  // A copy of exactly these octets: a Buffer's own slice() shares memory of any length and alignment.
  const words = new Uint32Array(new Uint8Array(tail.subarray(0, tail.length & ~3)).buffer);
  for (let end = words.length; end >= BLOCK_OVERHEAD_OCTETS / 4; end--) {
    if (fitsTogether(words, end, isWholeFile)) return end * 4;
  }
  return -1;
}

const readNanoseconds = timestampReader(9, 0);

/**
 * When the latest packet came of those that stand at the end of a journal of ours, Unix ms; null if none is to be found.
 * Throws what opening and reading the file throws.
 */
export function latestPacketMs(path: string): number | null {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const from = size <= TAIL_OCTETS ? 0 : (size - TAIL_OCTETS) & ~3;
    const tail = Buffer.alloc(size - from);
    const read = readSync(fd, tail, 0, tail.length, from);
    return latestPacketIn(tail.subarray(0, read), from === 0);
  } finally {
    closeSync(fd);
  }
}

/** Of all packets in sight, not only the last one: those of a sender on probation are written late. */
function latestPacketIn(tail: Uint8Array, isWholeFile: boolean): number | null {
  let end = wholeBlocksEnd(tail, isWholeFile) / 4;
  const words = new Uint32Array(new Uint8Array(tail.subarray(0, tail.length & ~3)).buffer);
  let latestMs: number | null = null;
  while (end > 0) {
    const total = words[end - 1]!;
    const start = end - total / 4;
    if (total < BLOCK_OVERHEAD_OCTETS || total % 4 !== 0 || start < 0 || words[start + 1] !== total) break;
    if (words[start] === ENHANCED_PACKET_BLOCK) {
      latestMs = Math.max(latestMs ?? 0, readNanoseconds(words[start + 3]!, words[start + 4]!));
    }
    end = start;
  }
  return latestMs;
}

// Every block ends with its length, so the chain can be followed backwards.
function fitsTogether(words: Uint32Array, end: number, isWholeFile: boolean): boolean {
  let at = end;
  for (let witness = 0; witness < WITNESSES; witness++) {
    if (at === 0) return false;
    const total = words[at - 1]!;
    if (total < BLOCK_OVERHEAD_OCTETS || total > at * 4 || total % 4 !== 0) return false;
    at -= total / 4;
    const type = words[at]!;
    const known = (type >= 1 && type <= ENHANCED_PACKET_BLOCK) || type === SECTION_HEADER_BLOCK;
    if (!known || words[at + 1] !== total) return false;
    // The very first block of a file has no predecessor.
    if (at === 0) return isWholeFile && type === SECTION_HEADER_BLOCK;
  }
  return true;
}
