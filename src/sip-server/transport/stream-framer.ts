// Cuts a byte stream into SIP messages by Content-Length (RFC 3261 §18.3) and finds keep-alives (RFC 5626 §4.4.1).
//
//   between ──first byte that is no CR or LF──> head ──empty line──> body ──Content-Length bytes──> between
//                                                └── head too long, or no believable length ──> broken (for good)
import { findHeadEnd, type MessageLimits } from '../message/parse.ts';
import { trimLws } from '../message/scan.ts';

export type Frame =
  /** One whole message. `bytes` is its own copy. */
  | { kind: 'message'; bytes: Buffer; lengthIsMissing: boolean }
  /** CR LF CR LF between messages: to be answered with CR LF. */
  | { kind: 'ping' }
  /** The stream cannot be followed any further. `bytes` is what there is of the message, for an answer. */
  | { kind: 'broken'; reason: 'head-too-large' | 'content-length' | 'body-too-large'; bytes: Buffer };

const CR = 0x0d;
const LF = 0x0a;

export class StreamFramer {
  readonly #limits: MessageLimits;
  #buffer = Buffer.alloc(0);
  /** The bytes waiting are #buffer[#start, #end). */
  #start = 0;
  #end = 0;
  /** How far the search for the empty line has got. */
  #searched = 0;
  /** Bytes of the running message, once its head is complete. */
  #messageLength: number | null = null;
  #lengthIsMissing = false;
  #lineFeeds = 0;
  #broken = false;

  constructor(limits: MessageLimits) {
    this.#limits = limits;
  }

  /** True while a message has begun and has not ended. */
  get isInsideMessage(): boolean {
    return this.#end > this.#start && !this.#broken;
  }

  push(chunk: Buffer): void {
    if (this.#broken) return;
    this.#reserve(chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** The next frame, or null until more bytes come. */
  next(): Frame | null {
    if (this.#broken) return null;
    if (this.#messageLength === null) {
      const early = this.#skipLineBreaks() ?? this.#readHead();
      if (early) return early;
    }
    if (this.#messageLength === null || this.#end - this.#start < this.#messageLength) return null;
    const bytes = Buffer.from(this.#buffer.subarray(this.#start, this.#start + this.#messageLength));
    this.#start += this.#messageLength;
    this.#messageLength = null;
    this.#searched = this.#start;
    if (this.#start === this.#end) this.#release();
    return { kind: 'message', bytes, lengthIsMissing: this.#lengthIsMissing };
  }

  #skipLineBreaks(): Frame | null {
    for (; this.#start < this.#end; this.#start++) {
      const byte = this.#buffer[this.#start];
      if (byte !== CR && byte !== LF) break;
      if (byte === LF && ++this.#lineFeeds === 2) {
        this.#lineFeeds = 0;
        this.#start++;
        this.#searched = this.#start;
        return { kind: 'ping' };
      }
    }
    this.#searched = Math.max(this.#searched, this.#start);
    if (this.#start === this.#end) this.#release();
    else this.#lineFeeds = 0;
    return null;
  }

  #readHead(): Frame | null {
    if (this.#start === this.#end) return null;
    const bytes = this.#buffer.subarray(0, this.#end);
    const found = findHeadEnd(bytes, this.#searched);
    if (!('headEnd' in found)) {
      this.#searched = found.resume;
      return this.#end - this.#start > this.#limits.headBytes ? this.#break('head-too-large') : null;
    }
    if (found.headEnd - this.#start > this.#limits.headBytes) return this.#break('head-too-large');
    const length = readContentLength(bytes.toString('latin1', this.#start, found.headEnd));
    if (length === 'unbelievable') return this.#break('content-length');
    if (length !== undefined && length > this.#limits.bodyBytes) return this.#break('body-too-large');
    this.#lengthIsMissing = length === undefined;
    this.#messageLength = found.bodyStart - this.#start + (length ?? 0);
    return null;
  }

  #break(reason: 'head-too-large' | 'content-length' | 'body-too-large'): Frame {
    this.#broken = true;
    const bytes = Buffer.from(this.#buffer.subarray(this.#start, this.#end));
    this.#release();
    return { kind: 'broken', reason, bytes };
  }

  /** Room for `more` bytes: moves what waits to the front, and doubles, so that dribbled bytes cost linear time. */
  #reserve(more: number): void {
    if (this.#end + more <= this.#buffer.length) return;
    const waiting = this.#end - this.#start;
    const needed = waiting + more;
    const target = needed * 2 <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(Math.max(4096, needed * 2));
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#searched = Math.max(0, this.#searched - this.#start);
    this.#buffer = target;
    this.#start = 0;
    this.#end = waiting;
  }

  /** Nothing waits: a large buffer is given back. */
  #release(): void {
    if (this.#buffer.length > 65_536) this.#buffer = Buffer.alloc(0);
    this.#start = this.#end = this.#searched = 0;
  }
}

/** Content-Length in a head, compact form and any case included; several lines must agree. */
function readContentLength(head: string): number | undefined | 'unbelievable' {
  let length: number | undefined;
  for (const match of head.matchAll(/\n(?:content-length|l)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)/gi)) {
    const value = trimLws(match[1]!);
    if (!/^[0-9]{1,10}$/.test(value)) return 'unbelievable';
    if (length !== undefined && length !== Number(value)) return 'unbelievable';
    length = Number(value);
  }
  return length;
}
