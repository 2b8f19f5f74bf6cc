// Framing of the drachtio admin protocol: `<length>#<payload>`, the length in decimal and in bytes.

/** Payloads up to this size are accepted; the limit of the reference server is 12,228 bytes. */
export const DEFAULT_MAX_FRAME_BYTES = 4 * 1024 * 1024;

const HASH = 0x23;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const MAX_LENGTH_DIGITS = 10;
/** So much of a refused frame is kept, enough for its message id. */
const REFUSED_HEAD_BYTES = 128;

export interface FrameSink {
  /** A whole payload. It may share memory with what the socket read; nobody writes to it. */
  onFrame(payload: Buffer): void;
  /** A frame above the limit is being thrown away; the reader stays in step. `head` is its beginning. */
  onOversize(lengthBytes: number, head: Buffer): void;
  /** The stream is not made of frames. Nothing more is read. */
  onBadPrefix(): void;
}

/** Puts `<length>#` before the joined parts. Strings are written as UTF-8. */
export function encodeFrame(...parts: (string | Buffer)[]): Buffer {
  const payload = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  const lengthBytes = payload.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from(`${lengthBytes}#`), ...payload]);
}

type ReaderState = 'prefix' | 'payload' | 'refused-head' | 'discarding' | 'broken';

/**
 * Cuts a byte stream into payloads, whatever the sizes of its reads. Work is linear in the number of bytes.
 *
 *   prefix ──#──▶ payload ──whole──▶ prefix
 *     │  └──# and too long──▶ refused-head ──▶ discarding ──▶ prefix
 *     └──not a digit──▶ broken
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  #state: ReaderState = 'prefix';
  #digits = 0;
  #length = 0;
  #missing = 0;
  #pieces: Buffer[] = [];

  constructor(sink: FrameSink, maxFrameBytes = DEFAULT_MAX_FRAME_BYTES) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length && this.#state !== 'broken') {
      offset = this.#state === 'prefix' ? this.#readPrefix(chunk, offset) : this.#readPayload(chunk, offset);
    }
  }

  /** Ends the reading: further chunks are ignored, also the rest of the one in hand. */
  stop(): void {
    this.#state = 'broken';
    this.#pieces = [];
  }

  #readPrefix(chunk: Buffer, from: number): number {
    for (let offset = from; offset < chunk.length; offset++) {
      const byte = chunk[offset]!;
      if (byte === HASH && this.#digits > 0) {
        this.#beginPayload();
        return offset + 1;
      }
      if (byte < DIGIT_0 || byte > DIGIT_9 || ++this.#digits > MAX_LENGTH_DIGITS) {
        this.stop();
        this.#sink.onBadPrefix();
        return chunk.length;
      }
      this.#length = this.#length * 10 + (byte - DIGIT_0);
    }
    return chunk.length;
  }

  #beginPayload(): void {
    this.#missing = this.#length;
    if (this.#length > this.#maxFrameBytes) {
      this.#state = 'refused-head';
      this.#missing = Math.min(this.#length, REFUSED_HEAD_BYTES);
    } else if (this.#length === 0) {
      this.#finishPayload();
    } else {
      this.#state = 'payload';
    }
  }

  #readPayload(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#missing);
    if (this.#state !== 'discarding') this.#pieces.push(chunk.subarray(from, to));
    this.#missing -= to - from;
    if (this.#missing === 0) this.#finishPayload();
    return to;
  }

  #finishPayload(): void {
    const payload = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    const length = this.#length;
    const state = this.#state;
    this.#pieces = [];
    this.#missing = state === 'refused-head' ? length - payload.length : 0;
    if (this.#missing > 0) {
      this.#state = 'discarding';
    } else {
      this.#state = 'prefix';
      this.#digits = 0;
      this.#length = 0;
    }
    if (state === 'refused-head') this.#sink.onOversize(length, payload);
    else if (state !== 'discarding') this.#sink.onFrame(payload);
  }
}
