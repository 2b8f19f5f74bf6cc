// A WAV as it comes in, in pieces: its samples, and when which of them came.

const HEADER_OCTETS = 44;
const RATE_AT = 24;
const FRAME_OCTETS = 4;

export class EndlessWav {
  readonly #pieces: Buffer[] = [];
  #octets = 0;
  /** Octets that had come by then. */
  readonly #arrivals: { octets: number; atMs: number }[] = [];

  add(octets: Uint8Array, atMs: number): void {
    this.#pieces.push(Buffer.from(octets));
    this.#octets += octets.length;
    this.#arrivals.push({ octets: this.#octets, atMs });
  }

  get frames(): number {
    return Math.max(0, Math.floor((this.#octets - HEADER_OCTETS) / FRAME_OCTETS));
  }

  /** Left and right, 16 bits. */
  samples(): { rateHz: number; channels: [Int16Array, Int16Array] } {
    const octets = Buffer.concat(this.#pieces);
    const rateHz = octets.length < HEADER_OCTETS ? 0 : octets.readUInt32LE(RATE_AT);
    const { frames } = this;
    const [left, right] = [new Int16Array(frames), new Int16Array(frames)];
    for (let i = 0, at = HEADER_OCTETS; i < frames; i++, at += FRAME_OCTETS) {
      left[i] = octets.readInt16LE(at);
      right[i] = octets.readInt16LE(at + 2);
    }
    return { rateHz, channels: [left, right] };
  }

  /** When that frame had come, Unix ms. */
  arrivalMs(frame: number): number {
    const needed = HEADER_OCTETS + (frame + 1) * FRAME_OCTETS;
    return this.#arrivals.find(({ octets }) => octets >= needed)?.atMs ?? Number.NaN;
  }
}
