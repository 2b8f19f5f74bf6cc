// A sender on probation: packets from someone who is not the held source, kept aside until it is clear who he is.
import type { RtpHeader } from '../rtp/packet.ts';
import { type DatagramSource, sameSource } from './receiver.ts';

/** What is kept of a candidate: 2 s of 16-bit stereo at 48 kHz fit. Later packets are not kept. */
const MAX_KEPT_OCTETS = 512 << 10;
const MAX_KEPT_PACKETS = 1024;
const FIRST_BUFFER_OCTETS = 16 << 10;

/** Called once per kept packet, in order. */
export type Replay = (buffer: Uint8Array, start: number, end: number, arrivalMs: number) => void;

/** Memory is taken with the first packet and given back with `forget()`. */
export class Candidate {
  source: DatagramSource | null = null;
  firstMs = 0;
  lastMs = 0;
  ssrc = 0;
  /** Packets in a row whose sequence numbers continue. */
  run = 0;
  /** Packets kept. */
  kept = 0;

  #nextSequence = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #octets = 0;
  readonly #ends: number[] = [];
  readonly #arrivalsMs: number[] = [];

  is(source: DatagramSource): boolean {
    return this.source !== null && sameSource(this.source, source);
  }

  begin(source: DatagramSource, arrivalMs: number): void {
    this.forget();
    this.source = source;
    this.firstMs = arrivalMs;
  }

  /** Takes note of a packet of this source. */
  observe(header: RtpHeader, arrivalMs: number): void {
    const continues = this.run > 0 && header.ssrc === this.ssrc && header.sequenceNumber === this.#nextSequence;
    this.run = continues ? this.run + 1 : 1;
    this.ssrc = header.ssrc;
    this.#nextSequence = (header.sequenceNumber + 1) & 0xffff;
    this.lastMs = arrivalMs;
  }

  /** Keeps a copy of the packet. Once the limits are reached further ones are not kept. */
  keep(buffer: Uint8Array, start: number, end: number, arrivalMs: number): void {
    const octets = end - start;
    if (this.kept >= MAX_KEPT_PACKETS || this.#octets + octets > MAX_KEPT_OCTETS) return;
    if (this.#octets + octets > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.max(FIRST_BUFFER_OCTETS, this.#buffer.length * 2, this.#octets + octets),
      );
      grown.set(this.#buffer.subarray(0, this.#octets));
      this.#buffer = grown;
    }
    this.#buffer.set(buffer.subarray(start, end), this.#octets);
    this.#octets += octets;
    this.#ends.push(this.#octets);
    this.#arrivalsMs.push(arrivalMs);
    this.kept++;
  }

  replay(each: Replay): void {
    let start = 0;
    for (let i = 0; i < this.kept; i++) {
      const end = this.#ends[i]!;
      each(this.#buffer, start, end, this.#arrivalsMs[i]!);
      start = end;
    }
  }

  forget(): void {
    this.source = null;
    this.run = 0;
    this.kept = 0;
    this.#octets = 0;
    this.#ends.length = 0;
    this.#arrivalsMs.length = 0;
    if (this.#buffer.length > FIRST_BUFFER_OCTETS) this.#buffer = Buffer.alloc(0);
  }
}
