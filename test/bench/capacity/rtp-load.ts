// The process that sends RTP: every stream from a source port of its own, 50 packets a second of known speech, spread
// evenly over the 20 ms. Streams that begin together (a call's two) send one behind the other.
import { RTP_HEADER_OCTETS, writeRtpHeader } from '../../../src/rtp/packet.ts';
import { type SendingSockets, sendingSockets } from '../../support/sending-sockets.ts';
import { PACKET_MS, PACKET_SAMPLES, PACKETS_PER_SECOND, payloads } from './known-speech.ts';

export interface Stream {
  id: number;
  /** On 127.0.0.1. */
  port: number;
  hz: number;
}

export interface SentStream {
  packets: number;
  /** When the first packet was due to leave, Unix ms. Its tone is loud then, and once a second from there on. */
  firstMs: number;
}

export type LoadOrder = { type: 'start'; streams: Stream[] } | { type: 'stop'; ids: number[] } | { type: 'end' };

export type LoadNews =
  | { type: 'ready' }
  /** Streams that were stopped, and what each sent. */
  | { type: 'stopped'; ids: number[]; sent: SentStream[] }
  /** About once a second: how late packets left at worst, and the CPU time used so far. */
  | { type: 'pace'; worstLateMs: number; cpuUs: number };

interface Sending {
  id: number;
  descriptor: number;
  packet: Buffer;
  packetAt: bigint;
  frames: Buffer[];
  ssrc: number;
  sent: number;
  firstMs: number;
  stopped: boolean;
}

const PACKET_OCTETS = RTP_HEADER_OCTETS + PACKET_SAMPLES;
const SLOTS = PACKET_MS;

const voices = new Map<number, Buffer[]>();
const slots: Sending[][] = Array.from({ length: SLOTS }, () => []);
const byId = new Map<number, Sending>();
const pause = new Int32Array(new SharedArrayBuffer(4));
let sockets: SendingSockets;
let ended = false;

function begin({ id, port, hz }: Stream): Sending {
  const memory = new ArrayBuffer(PACKET_OCTETS);
  let frames = voices.get(hz);
  if (!frames) {
    frames = payloads(hz);
    voices.set(hz, frames);
  }
  const packet = Buffer.from(memory);
  const packetAt = sockets.addressOf(memory);
  return {
    id,
    descriptor: sockets.connect(port),
    packet,
    packetAt,
    frames,
    ssrc: 0x5000_0000 + id,
    sent: 0,
    firstMs: 0,
    stopped: false,
  };
}

function send(stream: Sending, dueMs: number): void {
  writeRtpHeader(stream.packet, 0, {
    marker: stream.sent === 0,
    payloadType: 0,
    sequenceNumber: stream.sent & 0xffff,
    rtpTime: stream.sent * PACKET_SAMPLES,
    ssrc: stream.ssrc,
  });
  if (stream.sent === 0) stream.firstMs = performance.timeOrigin + dueMs;
  stream.packet.set(stream.frames[stream.sent % PACKETS_PER_SECOND]!, RTP_HEADER_OCTETS);
  // What the kernel refuses is lost on the way: it counts as sent.
  sockets.send(stream.descriptor, stream.packetAt, PACKET_OCTETS);
  stream.sent++;
}

/** The slot that has least to do. */
function freest(): Sending[] {
  return slots.reduce((least, slot) => (slot.length < least.length ? slot : least));
}

async function run(): Promise<void> {
  const startMs = performance.now();
  let worstLateMs = 0;
  let toldMs = startMs;
  for (let tick = 0; !ended; tick++) {
    const dueMs = startMs + tick;
    for (;;) {
      // Orders come in between.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const waitMs = dueMs - performance.now();
      if (waitMs <= 0) break;
      Atomics.wait(pause, 0, 0, Math.min(1, waitMs));
    }
    worstLateMs = Math.max(worstLateMs, performance.now() - dueMs);
    const slot = slots[tick % SLOTS]!;
    for (let i = 0; i < slot.length; i++) send(slot[i]!, dueMs);
    if (performance.now() - toldMs < 1000) continue;
    const { user, system } = process.cpuUsage();
    tell({ type: 'pace', worstLateMs, cpuUs: user + system });
    toldMs = performance.now();
    worstLateMs = 0;
  }
}

function stop(ids: number[]): void {
  const sent = ids.map((id) => {
    const stream = byId.get(id)!;
    byId.delete(id);
    stream.stopped = true;
    sockets.close(stream.descriptor);
    return { packets: stream.sent, firstMs: stream.firstMs };
  });
  for (const [i, slot] of slots.entries()) {
    if (slot.some(({ stopped }) => stopped)) slots[i] = slot.filter(({ stopped }) => !stopped);
  }
  tell({ type: 'stopped', ids, sent });
}

function tell(news: LoadNews): void {
  process.send!(news);
}

if (import.meta.main) {
  sockets = sendingSockets();
  process.on('message', (order: LoadOrder) => {
    if (order.type === 'start') {
      const slot = freest();
      for (const stream of order.streams) {
        const sending = begin(stream);
        byId.set(stream.id, sending);
        // A call's two streams together; many at once are spread.
        (order.streams.length > 2 ? freest() : slot).push(sending);
      }
    } else if (order.type === 'stop') stop(order.ids);
    else {
      ended = true;
      process.disconnect();
    }
  });
  tell({ type: 'ready' });
  await run();
}
