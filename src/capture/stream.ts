// One media stream inside a worker: takes the datagrams of its two ports and journals what belongs to it.
import { formatHostPort } from '../journal/ip-address.ts';
import type { Flow } from '../journal/ip-headers.ts';
import { datagramFlow, type JournalWriter } from '../journal/writer.ts';
import type { CaptureStreamChange } from '../recording/engines.ts';
import type { StreamAddress, StreamStatistics } from '../recording/media.ts';
import { classifyDatagram } from '../rtp/classify.ts';
import { RtpHeader, readRtpHeader } from '../rtp/packet.ts';
import { looksLikeRtcp } from '../rtp/rtcp.ts';
import type { SrtpDrop } from '../rtp/srtp/context.ts';
import { RtpStatisticsCounter } from '../rtp/statistics.ts';
import { type DropReason, newDropCounts, occurredDrops } from './drops.ts';
import type { StreamSettings } from './protocol.ts';
import type { DatagramSink, DatagramSource } from './receiver.ts';
import type { ReceiverReports } from './receiver-reports.ts';
import { SourceLock } from './source-lock.ts';
import { openedPacket, StreamProtection } from './stream-protection.ts';
import { UndecryptedPackets } from './undecrypted-packets.ts';

// Shared by all streams of the thread, which handles one datagram at a time: what every stream touches stays in the cache.
const header = new RtpHeader();
const keptHeader = new RtpHeader();

/** No media packet is longer; whatever is would only fill the disk. */
const MAX_MEDIA_OCTETS = 16_384;
const MAX_SOURCES = 32;

/**
 *   binding ──begin──▶ receiving ◀──update──▶ inactive
 *                          └────────┬────────────┘
 *                                 rest() ──▶ resting
 *
 * While binding and resting everything is discarded uncounted: it is not this call's.
 */
type StreamState = 'binding' | 'receiving' | 'inactive' | 'resting';

export interface MediaStreamOptions {
  spec: StreamSettings;
  address: StreamAddress;
  /** Our address in the journal. */
  localHost: string;
  /** The recording's. */
  writer: JournalWriter;
  takeoverMs: number;
  reports: ReceiverReports | null;
}

/** What is to be sent, from which of the two ports. */
export interface OutgoingReport {
  octets: Uint8Array;
  fromRtpPort: boolean;
  host: string;
  port: number;
}

export class MediaStream implements DatagramSink {
  readonly streamId: string;
  readonly address: StreamAddress;
  /** Takes the datagrams of the RTP port; the stream itself, since every object on the way costs. */
  readonly rtpSink: DatagramSink = this;
  readonly rtcpSink: DatagramSink = {
    datagram: (buffer, start, end, source, arrivalMs) => this.#rtcpPort(buffer, start, end, source, arrivalMs),
  };
  /** Datagrams that came, whatever became of them. */
  seen = 0;
  /** Datagrams dropped, for whatever reason. */
  dropped = 0;

  readonly #localHost: string;
  readonly #writer: JournalWriter;
  readonly #reports: ReceiverReports | null;
  readonly #spec: StreamSettings;
  readonly #takeoverMs: number;
  readonly #undecrypted: UndecryptedPackets;
  /** Null: plain RTP. */
  #protection: StreamProtection | null;
  readonly #lock: SourceLock;
  readonly #counter: RtpStatisticsCounter;
  readonly #drops = newDropCounts();
  readonly #sources: string[] = [];
  #interfaceId = -1;
  #state: StreamState = 'binding';
  /** The lock's held source as the port knows it. */
  #held: DatagramSource | null = null;
  /** Recorded before he was held. */
  #packetsBeforeHeld = 0;
  #flow: Flow | null = null;
  #rtcpPackets = 0;
  #rtcpSource: DatagramSource | null = null;
  #rtcpOnRtpPort = false;
  #rtcpFlow: Flow | null = null;

  constructor({ spec, address, localHost, writer, takeoverMs, reports }: MediaStreamOptions) {
    this.streamId = spec.streamId;
    this.address = address;
    this.#localHost = localHost;
    this.#writer = writer;
    this.#reports = reports;
    this.#lock = new SourceLock(takeoverMs);
    this.#takeoverMs = takeoverMs;
    this.#counter = new RtpStatisticsCounter(spec.formats);
    this.#spec = spec;
    this.#protection = StreamProtection.of(spec.srtp, spec.formats);
    this.#undecrypted = new UndecryptedPackets(writer, spec.streamId, description(spec), localHost);
  }

  /** The ports are bound: adds the stream's interface to the journal and begins to take packets. */
  begin(): void {
    const { streamId, receiving } = this.#spec;
    this.#interfaceId = this.#writer.addInterface(streamId, description(this.#spec));
    this.#state = receiving ? 'receiving' : 'inactive';
  }

  get resting(): boolean {
    return this.#state === 'resting';
  }

  /** Unix ms of the last packet that was kept, also of one that no key opens: somebody is there. 0 before. */
  get lastPacketMs(): number {
    return Math.max(this.#counter.lastPacketMs, this.#undecrypted.lastMs);
  }

  update(change: CaptureStreamChange, nowMs: number): void {
    if (this.#state === 'resting' || this.#state === 'binding') return;
    if (change.formats) this.#counter.setClocks(change.formats);
    if (this.#protection) this.#protection.renegotiate(change);
    else this.#protection = StreamProtection.of(change.srtp, change.formats ?? this.#spec.formats);
    if (change.receiving === true && this.#state === 'inactive') {
      this.#state = 'receiving';
      this.#counter.resynchronise();
    } else if (change.receiving === false) {
      this.#state = 'inactive';
    }
    this.#lock.renegotiated(nowMs);
  }

  /** Nothing is taken any more. A candidate that proved himself is still accepted. */
  rest(): void {
    if (this.#state === 'resting') return;
    const settled = this.#lock.settle(this.#counter.lastPacketMs, this.#counter.currentSsrc);
    if (settled) this.#hold(settled);
    this.#state = 'resting';
  }

  /** The report to send now, null if none is due or nobody is known to send it to. Valid until the next call. */
  reportIfDue(nowMs: number): OutgoingReport | null {
    if (!this.#reports || this.#state !== 'receiving') return null;
    const target = this.#rtcpSource ?? this.#lock.held;
    if (target === null) return null;
    const report = this.#reports.reportIfDue(this.#counter, nowMs);
    const octets = report && this.#protection ? this.#protection.protectRtcp(report) : report;
    if (octets === null) return null;
    if (this.#rtcpSource) return { octets, fromRtpPort: this.#rtcpOnRtpPort, host: target.host, port: target.port };
    return { octets, fromRtpPort: false, host: target.host, port: target.port + 1 };
  }

  statistics(): StreamStatistics {
    return {
      ...this.#counter.summary(),
      rtcpPackets: this.#rtcpPackets,
      sources: [...this.#sources],
      ...(this.#undecrypted.kept > 0 && { undecrypted: this.#undecrypted.kept }),
      drops: occurredDrops(this.#drops),
    };
  }

  get packets(): number {
    return this.#counter.packets;
  }

  /** A datagram of the RTP port. */
  datagram(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    this.seen++;
    if (this.#state !== 'receiving') {
      if (this.#state === 'inactive') this.#drop('inactive');
      return;
    }
    const kind = classifyDatagram(buffer, start, end);
    if (kind !== 'rtp') {
      if (kind === 'rtcp') this.#rtcp(buffer, start, end, source, arrivalMs, true);
      else this.#drop(kind);
      return;
    }
    if (this.#protection === null) this.#rtp(buffer, start, end, source, arrivalMs);
    else this.#protectedRtp(this.#protection, buffer, start, end, source, arrivalMs);
  }

  #protectedRtp(
    protection: StreamProtection,
    buffer: Uint8Array,
    start: number,
    end: number,
    source: DatagramSource,
    arrivalMs: number,
  ): void {
    const outcome = protection.openRtp(buffer, start, end);
    if (typeof outcome === 'number') this.#rtp(openedPacket, 0, outcome, source, arrivalMs);
    else if (outcome === 'plain') this.#rtp(buffer, start, end, source, arrivalMs);
    else this.#keepUndecrypted(outcome, buffer, start, end, source, this.address.rtpPort, arrivalMs);
  }

  #rtp(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    const reason = readRtpHeader(buffer, start, end, header);
    if (reason !== null) {
      this.#drop(reason);
      return;
    }
    if (source !== this.#held && !this.#admit(source, buffer, start, end, arrivalMs)) return;
    this.#accept(header, buffer, start, end, arrivalMs);
  }

  #rtcpPort(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    this.seen++;
    if (this.#state !== 'receiving') {
      if (this.#state === 'inactive') this.#drop('inactive');
      return;
    }
    const kind = classifyDatagram(buffer, start, end);
    if (kind === 'rtcp') this.#rtcp(buffer, start, end, source, arrivalMs, false);
    else this.#drop(kind === 'rtp' ? 'rtcpInvalid' : kind);
  }

  #accept(packet: RtpHeader, buffer: Uint8Array, start: number, end: number, arrivalMs: number): void {
    const writer = this.#writer;
    if (end - start > MAX_MEDIA_OCTETS || writer.octets > writer.limitOctets) {
      this.#drop(this.#obstacle(end - start)!);
      return;
    }
    this.#counter.observe(packet, arrivalMs);
    writer.writeDatagram(this.#interfaceId, arrivalMs, this.#flow!, buffer, start, end);
  }

  #drop(reason: DropReason): void {
    this.#drops[reason]++;
    this.dropped++;
  }

  #keepUndecrypted(
    reason: SrtpDrop,
    buffer: Uint8Array,
    start: number,
    end: number,
    source: DatagramSource,
    port: number,
    arrivalMs: number,
  ): void {
    const { held } = this.#lock;
    // Beside a sender who has the keys, a stranger without them has nothing to say.
    const isHeldActive = held !== null && arrivalMs - this.#counter.lastPacketMs < this.#takeoverMs;
    if (isHeldActive && held.host !== source.host) this.#drop('otherSource');
    else if (reason === 'srtpReplay') this.#drop(reason);
    else {
      const obstacle = this.#obstacle(end - start);
      if (obstacle !== null) this.#drop(obstacle);
      else this.#drop(this.#undecrypted.keep(buffer, start, end, source, port, arrivalMs) ? reason : 'srtpNotKept');
    }
  }

  #obstacle(octets: number): DropReason | null {
    if (octets > MAX_MEDIA_OCTETS) return 'tooLarge';
    return this.#writer.octets > this.#writer.limitOctets ? 'journalBehind' : null;
  }

  /** The slow way, for packets whose source object is not the held one. */
  #admit(source: DatagramSource, buffer: Uint8Array, start: number, end: number, arrivalMs: number): boolean {
    const { lastPacketMs, currentSsrc, packets } = this.#counter;
    const known = this.#lock.held;
    const admission = this.#lock.admit(
      source,
      header,
      buffer,
      start,
      end,
      arrivalMs,
      lastPacketMs,
      currentSsrc,
      // Not the SSRC's own trust: a sender who changes it must not become a stranger again.
      packets - this.#packetsBeforeHeld >= 2,
    );
    if (admission !== 'accepted') {
      this.#drop('otherSource');
      return false;
    }
    this.#held = source;
    if (known === null || known.port !== source.port || known.host !== source.host) this.#hold(source);
    return true;
  }

  #hold(source: DatagramSource): void {
    this.#packetsBeforeHeld = this.#counter.packets;
    this.#flow = datagramFlow(source, { host: this.#localHost, port: this.address.rtpPort });
    const text = formatHostPort(source.host, source.port);
    if (this.#sources.length < MAX_SOURCES && !this.#sources.includes(text)) this.#sources.push(text);
    // RTCP comes from where the media comes from.
    if (this.#rtcpSource !== null && this.#rtcpSource.host !== source.host) this.#rtcpSource = null;
    this.#lock.replayKept((buffer, start, end, arrivalMs) => {
      this.#drops.otherSource--;
      this.dropped--;
      if (readRtpHeader(buffer, start, end, keptHeader) === null) {
        this.#accept(keptHeader, buffer, start, end, arrivalMs);
      }
    });
  }

  #rtcp(
    buffer: Uint8Array,
    start: number,
    end: number,
    source: DatagramSource,
    arrivalMs: number,
    onRtpPort: boolean,
  ): void {
    if (!looksLikeRtcp(buffer, start, end)) {
      this.#drop('rtcpInvalid');
      return;
    }
    const expectedHost = this.#lock.held?.host ?? this.#rtcpSource?.host ?? source.host;
    if (source.host !== expectedHost) {
      this.#drop('otherSource');
      return;
    }
    const opening = this.#protection === null ? 'plain' : this.#protection.openRtcp(buffer, start, end);
    if (typeof opening === 'number') this.#acceptRtcp(openedPacket, 0, opening, source, arrivalMs, onRtpPort);
    else if (opening === 'plain') this.#acceptRtcp(buffer, start, end, source, arrivalMs, onRtpPort);
    else {
      const port = onRtpPort ? this.address.rtpPort : this.address.rtcpPort;
      this.#keepUndecrypted(opening, buffer, start, end, source, port, arrivalMs);
    }
  }

  #acceptRtcp(
    buffer: Uint8Array,
    start: number,
    end: number,
    source: DatagramSource,
    arrivalMs: number,
    onRtpPort: boolean,
  ): void {
    const reason = this.#obstacle(end - start);
    if (reason !== null) {
      this.#drop(reason);
      return;
    }
    if (this.#rtcpSource?.port !== source.port || this.#rtcpOnRtpPort !== onRtpPort || this.#rtcpFlow === null) {
      const port = onRtpPort ? this.address.rtpPort : this.address.rtcpPort;
      this.#rtcpFlow = datagramFlow(source, { host: this.#localHost, port });
      this.#rtcpSource = source;
      this.#rtcpOnRtpPort = onRtpPort;
    }
    this.#rtcpPackets++;
    this.#reports?.observe(buffer, start, end, arrivalMs);
    this.#writer.writeDatagram(this.#interfaceId, arrivalMs, this.#rtcpFlow, buffer, start, end);
  }
}

function description({ label }: StreamSettings): string {
  return label === null ? 'no label' : `label ${label}`;
}
