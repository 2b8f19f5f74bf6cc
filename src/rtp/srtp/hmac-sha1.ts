// The authentication tag: HMAC-SHA1 cut to its first octets (RFC 3711 §4.2.1, RFC 2104).
import { hash } from 'node:crypto';
import { copyOctets, MAX_PACKET_OCTETS, writeUint32 } from './packet-view.ts';

const BLOCK_OCTETS = 64;
const DIGEST_OCTETS = 20;

// Shared by all keys of the thread: H(outer pad || H(inner pad || message)).
const inner = Buffer.allocUnsafeSlow(BLOCK_OCTETS + MAX_PACKET_OCTETS + 4);
const outer = Buffer.allocUnsafeSlow(BLOCK_OCTETS + DIGEST_OCTETS);
let lastInner = inner.subarray(0, BLOCK_OCTETS);

/**
 * One authentication key. Two one-shot hashes that answer with a string are two to three times as fast as an Hmac object,
 * which cannot be kept from packet to packet.
 */
export class HmacSha1 {
  readonly #innerPad = new Uint8Array(BLOCK_OCTETS).fill(0x36);
  readonly #outerPad = new Uint8Array(BLOCK_OCTETS).fill(0x5c);

  /** `key` has at most 64 octets. */
  constructor(key: Uint8Array) {
    key.forEach((octet, at) => {
      this.#innerPad[at] = 0x36 ^ octet;
      this.#outerPad[at] = 0x5c ^ octet;
    });
  }

  /** True if `buffer[tagStart, tagStart + tagOctets)` is the tag of `buffer[start, end)` followed by the 32-bit `roc`. */
  verifyRtp(buffer: Uint8Array, start: number, end: number, roc: number, tagStart: number, tagOctets: number): boolean {
    return isTag(this.#digestRtp(buffer, start, end, roc), buffer, tagStart, tagOctets);
  }

  /** The same without the rollover counter, which SRTCP has no use for. */
  verifyRtcp(buffer: Uint8Array, start: number, end: number, tagStart: number, tagOctets: number): boolean {
    return isTag(this.#digestRtcp(buffer, start, end), buffer, tagStart, tagOctets);
  }

  signRtp(buffer: Uint8Array, start: number, end: number, roc: number, tagStart: number, tagOctets: number): void {
    writeTag(this.#digestRtp(buffer, start, end, roc), buffer, tagStart, tagOctets);
  }

  signRtcp(buffer: Uint8Array, start: number, end: number, tagStart: number, tagOctets: number): void {
    writeTag(this.#digestRtcp(buffer, start, end), buffer, tagStart, tagOctets);
  }

  #digestRtp(buffer: Uint8Array, start: number, end: number, roc: number): string {
    const octets = end - start;
    copyOctets(buffer, start, end, inner, BLOCK_OCTETS);
    writeUint32(inner, BLOCK_OCTETS + octets, roc);
    return this.#digest(octets + 4);
  }

  #digestRtcp(buffer: Uint8Array, start: number, end: number): string {
    copyOctets(buffer, start, end, inner, BLOCK_OCTETS);
    return this.#digest(end - start);
  }

  #digest(octets: number): string {
    inner.set(this.#innerPad);
    if (lastInner.length !== BLOCK_OCTETS + octets) lastInner = inner.subarray(0, BLOCK_OCTETS + octets);
    const digest = hash('sha1', lastInner, 'binary');
    outer.set(this.#outerPad);
    for (let at = 0; at < DIGEST_OCTETS; at++) outer[BLOCK_OCTETS + at] = digest.charCodeAt(at);
    return hash('sha1', outer, 'binary');
  }
}

/** Looks at every octet, so that the time taken does not tell how many were right. */
function isTag(digest: string, buffer: Uint8Array, tagStart: number, tagOctets: number): boolean {
  let difference = 0;
  for (let at = 0; at < tagOctets; at++) difference |= digest.charCodeAt(at) ^ buffer[tagStart + at]!;
  return difference === 0;
}

function writeTag(digest: string, into: Uint8Array, tagStart: number, tagOctets: number): void {
  for (let at = 0; at < tagOctets; at++) into[tagStart + at] = digest.charCodeAt(at);
}
