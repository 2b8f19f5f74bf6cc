// What a capture file holds of interest: SIP messages, whole, and RTP flows with as much as tells them from noise.
import { openCapture } from '../journal/open-capture.ts';
import type { PacketReader } from '../journal/packet-reader.ts';
import { SIP_INTERFACE } from '../journal/pcapng.ts';
import { JournalReader } from '../journal/reader.ts';
import { classifyDatagram } from '../rtp/classify.ts';
import { RtpHeader, readRtpHeader } from '../rtp/packet.ts';
import { SipSegments } from './sip-segments.ts';

export interface Endpoint {
  host: string;
  port: number;
}

export interface CapturedSip {
  timeMs: number;
  transport: 'udp' | 'tcp';
  source: Endpoint;
  destination: Endpoint;
  text: string;
}

/** RTP to one address, whoever sent it. */
export interface CapturedFlow {
  destination: Endpoint;
  /** The stream's name in a journal of ours; null in other captures. */
  interfaceName: string | null;
  firstMs: number;
  lastMs: number;
  packets: number;
  /** Packets that follow the one before: RTP counts, noise does not. */
  consecutive: number;
  payloadTypes: Map<number, number>;
}

/** A stream as a journal of ours describes it, whether it had packets or not. */
export interface JournalStream {
  streamId: string;
  label: string | null;
}

export interface Captured {
  /** Streams of a journal of ours, in order of appearance; empty for other captures. */
  journalStreams: JournalStream[];
  sip: CapturedSip[];
  flows: CapturedFlow[];
  /** Packets left out: neither UDP nor TCP, or incomplete. */
  ignored: number;
  truncated: boolean;
}

/** Interfaces of our journals that are media streams. */
const OWN_STREAM = /^s\d+$/;
const MAX_SIP_MESSAGES = 100_000;
const MAX_FLOWS = 10_000;
const SIP_START = /^(?:SIP\/2\.0 \d{3} |[A-Z]{2,20} sips?:\S+ SIP\/2\.0\r?\n)/;

/** Reads the file once. Throws what opening it throws. */
export function readCaptured(path: string): Captured {
  using reader = openCapture(path);
  const sip: CapturedSip[] = [];
  const flows = new Map<string, CapturedFlow & { sequence: number }>();
  const segments = new SipSegments();
  const header = new RtpHeader();
  while (reader.next()) {
    const { buffer, payloadStart, payloadEnd, timeMs } = reader;
    if (reader.protocol === 'tcp') {
      const ends = endpoints(reader);
      for (const text of segments.add(ends, reader.tcpSequence, buffer.subarray(payloadStart, payloadEnd))) {
        if (sip.length < MAX_SIP_MESSAGES) sip.push({ timeMs, transport: 'tcp', ...ends, text });
      }
    } else if (classifyDatagram(buffer, payloadStart, payloadEnd) === 'rtp') {
      if (readRtpHeader(buffer, payloadStart, payloadEnd, header) === null) note(flows, reader, header);
    } else if (payloadEnd - payloadStart > 20 && sip.length < MAX_SIP_MESSAGES) {
      const text = buffer.toString('utf8', payloadStart, payloadEnd);
      // What mod_oreka sends is no SIP, but stands where SIP does.
      if (reader.interfaceName === SIP_INTERFACE || SIP_START.test(text))
        sip.push({ timeMs, transport: 'udp', ...endpoints(reader), text });
    }
  }
  const { ignored, truncated } = reader;
  const journalStreams = reader instanceof JournalReader ? streamsOf(reader) : [];
  return { journalStreams, sip, flows: [...flows.values()], ignored, truncated };
}

/** A continued journal describes its streams again. */
function streamsOf({ interfaces }: JournalReader): JournalStream[] {
  const streams = new Map<string, JournalStream>();
  for (const { name: streamId, description } of interfaces) {
    if (!OWN_STREAM.test(streamId) || streams.has(streamId)) continue;
    streams.set(streamId, { streamId, label: /^label (.*)$/s.exec(description)?.[1] ?? null });
  }
  return [...streams.values()];
}

/** What a stream's packets are found again by: the interface of a journal of ours, else where they were sent to. */
export function flowKey(reader: PacketReader): string {
  const own = OWN_STREAM.test(reader.interfaceName) ? reader.interfaceName : '';
  return own || `${reader.destinationHost()} ${reader.destinationPort}`;
}

export function keyOfFlow({ destination, interfaceName }: CapturedFlow): string {
  return interfaceName ?? `${destination.host} ${destination.port}`;
}

function endpoints(reader: PacketReader): { source: Endpoint; destination: Endpoint } {
  return {
    source: { host: reader.sourceHost(), port: reader.sourcePort },
    destination: { host: reader.destinationHost(), port: reader.destinationPort },
  };
}

function note(flows: Map<string, CapturedFlow & { sequence: number }>, reader: PacketReader, header: RtpHeader): void {
  const key = flowKey(reader);
  let flow = flows.get(key);
  if (!flow) {
    if (flows.size >= MAX_FLOWS) return;
    flow = {
      destination: { host: reader.destinationHost(), port: reader.destinationPort },
      interfaceName: key === reader.interfaceName ? key : null,
      firstMs: reader.timeMs,
      lastMs: reader.timeMs,
      packets: 0,
      consecutive: 0,
      payloadTypes: new Map(),
      sequence: -1,
    };
    flows.set(key, flow);
  }
  flow.firstMs = Math.min(flow.firstMs, reader.timeMs);
  flow.lastMs = Math.max(flow.lastMs, reader.timeMs);
  flow.packets++;
  if (header.sequenceNumber === ((flow.sequence + 1) & 0xffff)) flow.consecutive++;
  flow.sequence = header.sequenceNumber;
  flow.payloadTypes.set(header.payloadType, (flow.payloadTypes.get(header.payloadType) ?? 0) + 1);
}
