// AES in counter mode: the key stream of SRTP and SRTCP (RFC 3711 §4.1.1, RFC 6188 §2).
import { type Cipheriv, createCipheriv, createSecretKey } from 'node:crypto';
import { MAX_PACKET_OCTETS } from './packet-view.ts';

//   octet  0      3 4      7 8          13 14  15
//         +--------+--------+--------------+------+
//         |   0    |  SSRC  | packet index |  0   |
//         +--------+--------+--------------+------+
//     XOR |      session salt, 14 octets   |  0   |
//         +--------------------------------+------+
//       = the first counter block; the last two octets count blocks
const BLOCK_OCTETS = 16;
const WORDS = BLOCK_OCTETS / 4;

// Shared by all ciphers of the thread. The block counters never change, so they are written once.
const blocks = new Uint8Array(Math.ceil(MAX_PACKET_OCTETS / BLOCK_OCTETS) * BLOCK_OCTETS);
const words = new Int32Array(blocks.buffer);
const halfWords = new Uint16Array(blocks.buffer);
for (let at = 0; at < blocks.length; at += BLOCK_OCTETS) {
  blocks[at + 14] = at >>> 12;
  blocks[at + 15] = at >>> 4;
}
/** The counter blocks of the last packet length. */
let lastBlocks = blocks.subarray(0, BLOCK_OCTETS);

/**
 * One session key. A cipher object per packet, which counter mode needs, costs five times as much as one kept in ECB
 * mode that enciphers the counter blocks, so that is what is done.
 */
export class AesCounterMode {
  readonly #cipher: Cipheriv;
  readonly #salt: Uint8Array;

  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#cipher = createCipheriv(`aes-${key.length * 8}-ecb`, createSecretKey(key), null).setAutoPadding(false);
    this.#salt = salt;
  }

  /**
   * Writes `from[start, end)`, enciphered or deciphered, to `into` at `at`. At most MAX_PACKET_OCTETS.
   * @param high the packet index without its lowest 16 bits: the rollover counter, or SRTCP index >>> 16
   * @param low the lowest 16 bits: the sequence number
   */
  apply(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    at: number,
    ssrc: number,
    high: number,
    low: number,
  ): void {
    if (end <= start) return;
    const octets = ((end - start + BLOCK_OCTETS - 1) >>> 4) << 4;
    const salt = this.#salt;
    for (let octet = 0; octet < 14; octet++) blocks[octet] = salt[octet]!;
    xorUint32(4, ssrc);
    xorUint32(8, high);
    blocks[12] = blocks[12]! ^ (low >>> 8);
    blocks[13] = blocks[13]! ^ low;
    const first = words[0]!;
    const second = words[1]!;
    const third = words[2]!;
    const half = halfWords[6]!;
    for (let word = WORDS; word < octets >>> 2; word += WORDS) {
      words[word] = first;
      words[word + 1] = second;
      words[word + 2] = third;
      halfWords[word * 2 + 6] = half;
    }
    if (lastBlocks.length !== octets) lastBlocks = blocks.subarray(0, octets);
    const keyStream = this.#cipher.update(lastBlocks);
    for (let source = start, key = 0, target = at; source < end; source++, key++, target++) {
      into[target] = from[source]! ^ keyStream[key]!;
    }
  }
}

function xorUint32(at: number, value: number): void {
  blocks[at] = blocks[at]! ^ (value >>> 24);
  blocks[at + 1] = blocks[at + 1]! ^ (value >>> 16);
  blocks[at + 2] = blocks[at + 2]! ^ (value >>> 8);
  blocks[at + 3] = blocks[at + 3]! ^ value;
}
