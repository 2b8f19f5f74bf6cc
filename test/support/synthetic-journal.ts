// Journals made of tones: every packet, with its true time and its arrival, is under the test's control.
import { writeFileSync } from 'node:fs';
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import type { RenderJob, RenderStream } from '../../src/recording/engines.ts';
import type { MediaFormat } from '../../src/recording/media.ts';
import { encodeAlaw, encodeUlaw } from '../../src/render/codecs/g711.ts';
import { encodeL16 } from '../../src/render/codecs/l16.ts';
import { RTP_HEADER_OCTETS, writeRtpHeader } from '../../src/rtp/packet.ts';

export const START_MS = Date.UTC(2026, 0, 1, 12);

export const PCMU: MediaFormat = { payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, channels: 1, fmtp: null };
export const PCMA: MediaFormat = { payloadType: 8, encoding: 'PCMA', clockRateHz: 8000, channels: 1, fmtp: null };
export const L16_WIDE: MediaFormat = { payloadType: 97, encoding: 'L16', clockRateHz: 16_000, channels: 1, fmtp: null };
export const EVENTS: MediaFormat = {
  payloadType: 101,
  encoding: 'TELEPHONE-EVENT',
  clockRateHz: 8000,
  channels: 1,
  fmtp: '0-15',
};

export interface SyntheticPacket {
  streamId: string;
  /** ms since START_MS. */
  arrivalMs: number;
  payloadType: number;
  /** Taken modulo 2^16 and 2^32. */
  sequenceNumber: number;
  rtpTime: number;
  ssrc: number;
  payload: Uint8Array;
  source?: { host: string; port: number };
  marker?: boolean;
}

/** Amplitude −1…1 at a true time in ms since START_MS. */
export type Signal = (trueMs: number) => number;

export const tone =
  (hz: number, amplitude = 0.5): Signal =>
  (trueMs) =>
    amplitude * Math.sin((2 * Math.PI * hz * trueMs) / 1000);

/** The signal between two times, silence around. */
export const during =
  (fromMs: number, toMs: number, signal: Signal): Signal =>
  (trueMs) =>
    trueMs >= fromMs && trueMs < toMs ? signal(trueMs) : 0;

export interface Talk {
  streamId: string;
  fromMs: number;
  toMs: number;
  signal: Signal;
  format?: MediaFormat;
  packetMs?: number;
  ssrc?: number;
  firstSequence?: number;
  firstRtpTime?: number;
  /** The sender's clock against true time: its seconds are shorter by this much. */
  driftPpm?: number;
  /** Transmission delay of the packet sent at that true time. */
  delayMs?: (sentMs: number, index: number) => number;
  source?: { host: string; port: number };
}

/** A sender that talks without pause: a packet holds the samples before it is sent, and leaves when they are complete. */
export function talk(plan: Talk): SyntheticPacket[] {
  const format = plan.format ?? PCMU;
  const rate = format.clockRateHz;
  const packetMs = plan.packetMs ?? 20;
  const samples = (rate * packetMs) / 1000;
  const trueMsPerSample = 1000 / (rate * (1 + (plan.driftPpm ?? 0) * 1e-6));
  const packets: SyntheticPacket[] = [];
  const silence = encode(format, new Int16Array(samples));
  for (let index = 0; ; index++) {
    const firstMs = plan.fromMs + index * samples * trueMsPerSample;
    if (firstMs + 1e-6 >= plan.toMs) return packets;
    const pcm = new Int16Array(samples);
    let loud = 0;
    for (let i = 0; i < samples; i++) {
      const sample = Math.round(plan.signal(firstMs + i * trueMsPerSample) * 32767);
      pcm[i] = sample;
      loud |= sample;
    }
    const arrivalMs = firstMs + (plan.delayMs?.(firstMs, index) ?? 0);
    packets.push({
      streamId: plan.streamId,
      arrivalMs,
      payloadType: format.payloadType,
      sequenceNumber: (plan.firstSequence ?? 1000) + index,
      rtpTime: (plan.firstRtpTime ?? 50_000) + index * samples,
      ssrc: plan.ssrc ?? 0x1234_0000 + plan.streamId.charCodeAt(1),
      payload: loud === 0 ? silence : encode(format, pcm),
      ...(plan.source && { source: plan.source }),
    });
  }
}

export function encode(format: MediaFormat, pcm: Int16Array): Uint8Array {
  if (format.encoding === 'PCMU') return encodeUlaw(pcm);
  if (format.encoding === 'PCMA') return encodeAlaw(pcm);
  return encodeL16(pcm);
}

/** RFC 4733 packets of one key: one per 20 ms while it is pressed, and the end three times. */
export function keyPress(
  base: Omit<SyntheticPacket, 'payload'>,
  event: number,
  durationTicks: number,
): SyntheticPacket[] {
  const packets: SyntheticPacket[] = [];
  const add = (index: number, end: boolean, ticks: number) =>
    packets.push({
      ...base,
      arrivalMs: base.arrivalMs + index * 20,
      sequenceNumber: base.sequenceNumber + index,
      marker: index === 0,
      payload: Uint8Array.of(event, (end ? 0x80 : 0) | 10, ticks >> 8, ticks),
    });
  let index = 0;
  for (let ticks = 160; ticks < durationTicks; ticks += 160) add(index++, false, ticks);
  for (let i = 0; i < 3; i++) add(index++, true, durationTicks);
  return packets;
}

/** The file's octets. Packets are put in the order of their arrival; those at the same time keep theirs. */
export function journalOf(packets: SyntheticPacket[]): Buffer {
  const writer = new JournalWriter(1 << 20);
  writer.beginSection();
  const interfaces = new Map<string, number>();
  const flows = new Map<string, ReturnType<typeof datagramFlow>>();
  const datagram = new Uint8Array(RTP_HEADER_OCTETS + 65_000);
  for (const packet of packets.toSorted((a, b) => a.arrivalMs - b.arrivalMs)) {
    let id = interfaces.get(packet.streamId);
    if (id === undefined) {
      id = writer.addInterface(packet.streamId, '');
      interfaces.set(packet.streamId, id);
    }
    const source = packet.source ?? { host: '192.0.2.1', port: 30_000 + 2 * id };
    const key = `${id} ${source.host} ${source.port}`;
    let flow = flows.get(key);
    if (flow === undefined) {
      flow = datagramFlow(source, { host: '192.0.2.9', port: 40_000 + 2 * id });
      flows.set(key, flow);
    }
    const end = writeRtpHeader(datagram, 0, { marker: false, ...packet });
    datagram.set(packet.payload, end);
    writer.writeDatagram(id, START_MS + packet.arrivalMs, flow, datagram, 0, end + packet.payload.length);
  }
  const { buffer, octets } = writer.take(Buffer.alloc(0));
  return buffer.subarray(0, octets);
}

export function writeJournal(path: string, packets: SyntheticPacket[]): void {
  writeFileSync(path, journalOf(packets));
}

/** A job over the journal in a directory, one channel per stream unless told otherwise. */
export function jobIn(
  directory: string,
  streams: (Partial<RenderStream> & { streamId: string })[],
  more: Partial<RenderJob> = {},
): RenderJob {
  return {
    journalPath: `${directory}/capture.pcapng`,
    audioPath: `${directory}/audio.wav`,
    streams: streams.map((stream, channel) => ({
      label: null,
      formats: [PCMU],
      channel,
      placement: 'rtp-time',
      ...stream,
    })),
    pauses: [],
    channels: 2,
    sampleRateHz: null,
    info: {},
    ...more,
  };
}
