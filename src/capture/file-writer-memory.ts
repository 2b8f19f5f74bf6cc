// The memory that a capture worker and its file writer thread share: a table of writes, and the octets to be written.

/** Per write: file descriptor, offset in `octets`, length, position in the file, result (octets written, or −errno). */
export const FIELDS = 5;
export const RESULT = 4;
/** Writes in one round. */
export const MAX_WRITES = 1024;
export const OCTETS = 4 << 20;

/** Said instead of a count of writes: the thread ends. */
export const END = 0;

export interface FileWriterMemory {
  table: SharedArrayBuffer;
  octets: SharedArrayBuffer;
}

export function newFileWriterMemory(): FileWriterMemory {
  return {
    table: new SharedArrayBuffer(MAX_WRITES * FIELDS * Float64Array.BYTES_PER_ELEMENT),
    octets: new SharedArrayBuffer(OCTETS),
  };
}
