// Finds the end of the last whole block from the file's end backwards, so that a journal can be continued at once.
import { BLOCK_OVERHEAD_OCTETS, ENHANCED_PACKET_BLOCK, SECTION_HEADER_BLOCK } from './pcapng.ts';

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
