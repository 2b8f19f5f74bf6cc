// Memory for the batches of all journals of a thread. A journal needs a second buffer only while its first one is being written, and
// at any moment most are not: a spare of its own for each would be the half of what they hold.

/** Holds what two G.711 streams bring between two writes (4.4 KB); a writer makes it larger for those that bring more. */
export const BUFFER_OCTETS = 8 << 10;
/** What grew beyond this while the disk was slow is not kept. */
const MAX_KEPT_OCTETS = 256 << 10;
/** After a disk was slow for all journals at once there are as many as journals: not kept for good. */
const MAX_KEPT = 256;

export class SpareBuffers {
  readonly #kept: Buffer[] = [];

  /** The caller's until he gives it back; what is in it is old. */
  take(): Buffer {
    return this.#kept.pop() ?? Buffer.allocUnsafeSlow(BUFFER_OCTETS);
  }

  give(buffer: Buffer): void {
    if (buffer.length >= BUFFER_OCTETS && buffer.length <= MAX_KEPT_OCTETS && this.#kept.length < MAX_KEPT) {
      this.#kept.push(buffer);
    }
  }

  get count(): number {
    return this.#kept.length;
  }
}
