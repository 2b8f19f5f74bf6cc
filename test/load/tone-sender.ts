// Media of many calls from one place: each call has a pair of tones of its own, so that a packet in the wrong recording is heard.
import { createSocket, type Socket } from 'node:dgram';
import { encodeUlaw } from '../../src/render/codecs/g711.ts';

const RATE_HZ = 8000;
const PACKET_MS = 20;
const SAMPLES = (RATE_HZ * PACKET_MS) / 1000;
/** Multiples of 50 Hz fill a packet with whole periods: one packet's payload is every packet's. */
const STEP_HZ = 50;
const TONES = 20;
/** What is said while the recording is paused. */
export const SECRET_HZ = 3_000;

/** Caller and callee of the call with that number. */
export function tonesOf(call: number): [number, number] {
  return [300 + STEP_HZ * (call % TONES), 1_300 + STEP_HZ * ((call + Math.floor(call / TONES)) % TONES)];
}

export interface ToneTarget {
  host: string;
  /** Of the caller's and the callee's stream. */
  ports: [number, number];
}

interface PlayingCall {
  target: ToneTarget;
  hz: [number, number];
  sequence: number;
  secret: boolean;
}

export class ToneSender {
  packetsSent = 0;
  /** The longest time by which a tick came late, ms: beyond some hundred the generator, not the recorder, is the limit. */
  worstLagMs = 0;
  readonly #sockets: [Socket, Socket];
  readonly #calls = new Map<number, PlayingCall>();
  readonly #payloads = new Map<number, Uint8Array>();
  #timer: NodeJS.Timeout;
  #tick = 0;
  readonly #beganMs = performance.now();

  constructor() {
    this.#sockets = [createSocket('udp4'), createSocket('udp4')];
    // ICMP errors of a receiver that has gone are no concern of a sender.
    for (const socket of this.#sockets) socket.on('error', () => {});
    this.#timer = setTimeout(() => this.#turn(), PACKET_MS);
  }

  /** Begins, goes on, or moves elsewhere. */
  talk(call: number, target: ToneTarget): void {
    const known = this.#calls.get(call);
    if (known) Object.assign(known, { target, secret: false });
    else this.#calls.set(call, { target, hz: tonesOf(call), sequence: 0, secret: false });
  }

  /** Sends what must not be recorded, to the same ports. */
  whisper(call: number): void {
    const known = this.#calls.get(call);
    if (known) known.secret = true;
  }

  end(call: number): void {
    this.#calls.delete(call);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) socket.close();
  }

  #turn(): void {
    const lagMs = performance.now() - this.#beganMs - (this.#tick + 1) * PACKET_MS;
    this.worstLagMs = Math.max(this.worstLagMs, lagMs);
    // What a late tick missed is sent now, as a jittering network would deliver it.
    do {
      this.#tick++;
      for (const [number, call] of this.#calls) this.#send(number, call);
    } while (performance.now() - this.#beganMs >= (this.#tick + 1) * PACKET_MS);
    const nextMs = this.#beganMs + (this.#tick + 1) * PACKET_MS - performance.now();
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, nextMs));
  }

  #send(number: number, call: PlayingCall): void {
    for (const party of [0, 1] as const) {
      const packet = Buffer.alloc(12 + SAMPLES);
      packet[0] = 0x80;
      packet.writeUInt16BE(call.sequence & 0xffff, 2);
      packet.writeUInt32BE((call.sequence * SAMPLES) >>> 0, 4);
      packet.writeUInt32BE(((number + 1) * 2 + party) >>> 0, 8);
      packet.set(this.#payload(call.secret ? SECRET_HZ : call.hz[party]), 12);
      this.#sockets[party].send(packet, call.target.ports[party], call.target.host);
    }
    call.sequence++;
    this.packetsSent += 2;
  }

  #payload(hz: number): Uint8Array {
    let payload = this.#payloads.get(hz);
    if (!payload) {
      const sample = (_: unknown, i: number) => Math.round(8_000 * Math.sin((2 * Math.PI * hz * i) / RATE_HZ));
      payload = encodeUlaw(Int16Array.from({ length: SAMPLES }, sample));
      this.#payloads.set(hz, payload);
    }
    return payload;
  }
}
