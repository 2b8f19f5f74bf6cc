// One recording inside a worker: its streams, their open ports, and the journal they share.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';
import type { CaptureStreamChange } from '../recording/engines.ts';
import type { SipRecord, StreamAddress, StreamStatistics } from '../recording/media.ts';
import type { AnnouncedPorts } from './announced-ports.ts';
import type { JournalFile } from './journal-file.ts';
import type { StreamSettings, WorkerSettings } from './protocol.ts';
import type { DatagramReceiver, DatagramSink, ReceiverPort } from './receiver.ts';
import { ReceiverReports } from './receiver-reports.ts';
import { MediaStream } from './stream.ts';

/** Turns of the event loop that sealing waits at most for datagrams which the kernel still holds. */
const MAX_DRAIN_TURNS = 64;

/** What a recording needs of the worker around it. */
export interface RecordingSurroundings {
  settings: WorkerSettings;
  clock: Clock;
  receiver: DatagramReceiver;
  announced: AnnouncedPorts;
  /** The journal's memory has been full since, or has not since, and packets are lost. */
  onJournalFull: (recordingId: string, state: 'full' | 'taking', atMs: number) => void;
  /** RTP ports whose sockets rest, and what ends that before its time, when somebody needs the port. */
  restingPorts: Map<number, () => Promise<void>>;
  /** Sockets have rested and are closed. */
  onRested: (rtpPort: number) => void;
}

interface OpenStream {
  stream: MediaStream;
  rtp: ReceiverPort;
  /** Null for an announced port: its client knows no RTCP. */
  rtcp: ReceiverPort | null;
  /** The kernel's count when the stream began and, once it rests, when it ended: an announced port has other users too. */
  kernelDropsBefore: number;
  kernelDropsAtRest: number | null;
  close: () => Promise<void>;
}

export class WorkerRecording {
  readonly recordingId: string;
  /** When `lastPacketMs` was reported last. */
  reportedMs = 0;
  #packetsTaken = 0;
  readonly #file: JournalFile;
  readonly #surroundings: RecordingSurroundings;
  readonly #streams = new Map<string, OpenStream>();
  #sealed = false;
  #state: 'full' | 'taking' = 'taking';
  #lookedMs: number;
  readonly #sealing: () => Promise<void>;

  constructor(recordingId: string, file: JournalFile, surroundings: RecordingSurroundings) {
    this.recordingId = recordingId;
    this.#file = file;
    this.#surroundings = surroundings;
    this.#lookedMs = surroundings.clock.nowMs();
    file.writer.limitOctets = surroundings.settings.recordingBufferOctets;
    this.#sealing = closeOnce(() => this.#seal());
  }

  /** Binds both ports. False if another program has one of them; rejects with any other error of the system. */
  async addStream(spec: StreamSettings, address: StreamAddress): Promise<boolean> {
    const { settings, clock, receiver } = this.#surroundings;
    const reports = settings.rtcp && new ReceiverReports(settings.rtcp.intervalMs, settings.rtcp.cname, clock.nowMs());
    const stream = this.#mediaStream(spec, address, settings.localHost, reports);
    const rtp = await openUnlessTaken(receiver, settings.bindAddress, address.rtpPort, stream.rtpSink);
    if (!rtp) return false;
    const rtcp = await openUnlessTaken(receiver, settings.bindAddress, address.rtcpPort, stream.rtcpSink);
    if (!rtcp) {
      await rtp.close();
      return false;
    }
    await this.#take(stream, rtp, rtcp);
    return true;
  }

  /** Takes over a port that was bound when the client announced it, with what has come in since. False if that failed or is gone. */
  async addAnnouncedStream(
    spec: StreamSettings,
    address: StreamAddress,
    { id, host }: { id: number; host: string },
  ): Promise<boolean> {
    const { announced } = this.#surroundings;
    const stream = this.#mediaStream(spec, address, host, null);
    const rtp = await announced.claim(id, stream.rtpSink);
    if (!rtp) return false;
    await this.#take(stream, rtp, null);
    announced.replayEarly(id);
    return true;
  }

  #mediaStream(spec: StreamSettings, address: StreamAddress, localHost: string, reports: ReceiverReports | null) {
    const { takeoverMs } = this.#surroundings.settings;
    return new MediaStream({ spec, address, localHost, writer: this.#file.writer, takeoverMs, reports });
  }

  async #take(stream: MediaStream, rtp: ReceiverPort, rtcp: ReceiverPort | null): Promise<void> {
    const close = closeOnce(async () => {
      await Promise.all([rtp.close(), rtcp?.close()]);
    });
    if (this.#sealed) {
      await close();
      throw new RecorderError('RECORDING_ENDED');
    }
    stream.begin();
    this.#streams.set(stream.streamId, {
      stream,
      rtp,
      rtcp,
      kernelDropsBefore: rtp.kernelDrops ?? 0,
      kernelDropsAtRest: null,
      close,
    });
  }

  updateStream(streamId: string, change: CaptureStreamChange): void {
    this.#streams.get(streamId)?.stream.update(change, this.#surroundings.clock.nowMs());
  }

  removeStream(streamId: string): void {
    const open = this.#streams.get(streamId);
    if (!open) return;
    this.#rest(open);
    // The figures may be of some time ago; the socket stays a while.
    const { receiver } = this.#surroundings;
    void receiver.readKernelDrops().then(() => {
      open.kernelDropsAtRest = open.rtp.kernelDrops;
    });
  }

  writeSip(record: SipRecord): void {
    const { writer } = this.#file;
    if (writer.octets <= writer.limitOctets) writer.writeSip(record);
  }

  flush(): void {
    this.#file.flush();
    const { writer } = this.#file;
    const state = writer.octets > writer.limitOctets ? 'full' : 'taking';
    const nowMs = this.#surroundings.clock.nowMs();
    // It became full at some time since the last look.
    if (state !== this.#state) {
      this.#surroundings.onJournalFull(this.recordingId, state, state === 'full' ? this.#lookedMs : nowMs);
    }
    this.#state = state;
    this.#lookedMs = nowMs;
  }

  sendReports(nowMs: number): void {
    for (const { stream, rtp, rtcp } of this.#streams.values()) {
      const report = stream.reportIfDue(nowMs);
      // A copy: the socket sends later, the report's memory is used again.
      if (report) (report.fromRtpPort || !rtcp ? rtp : rtcp).send(Buffer.from(report.octets), report.host, report.port);
    }
  }

  async statistics(): Promise<Record<string, StreamStatistics>> {
    const { receiver } = this.#surroundings;
    await receiver.readKernelDrops();
    receiver.handOver();
    const all: Record<string, StreamStatistics> = {};
    for (const [streamId, open] of this.#streams) {
      const kernelDrops = kernelDropsOf(open);
      all[streamId] = { ...open.stream.statistics(), ...(kernelDrops === null ? {} : { kernelDrops }) };
    }
    return all;
  }

  /** Takes in what the kernel holds already, lets all ports rest, writes the rest, syncs and closes the file. Never rejects. */
  async seal(): Promise<Record<string, StreamStatistics>> {
    await this.#sealing();
    return this.statistics();
  }

  /** Closes the sockets without a rest, for the end of the worker. */
  async closeSockets(): Promise<void> {
    await Promise.all(Array.from(this.#streams.values(), (open) => open.close()));
  }

  set limitOctets(octets: number) {
    this.#file.writer.limitOctets = octets;
  }

  get journalFails(): boolean {
    return this.#file.failing;
  }

  get waitingOctets(): number {
    return this.#file.waitingOctets;
  }

  /** Since when the write under way has been waiting for the disk; infinity while there is none. */
  get writingSinceMs(): number {
    return this.#file.writingSinceMs;
  }

  /** RTP packets recorded since this was asked last. */
  takePacketsSince(): number {
    let packets = 0;
    for (const { stream } of this.#streams.values()) packets += stream.packets;
    const since = packets - this.#packetsTaken;
    this.#packetsTaken = packets;
    return since;
  }

  get streams(): Iterable<MediaStream> {
    return Array.from(this.#streams.values(), ({ stream }) => stream);
  }

  /** Unix ms of the last RTP packet of any stream, 0 before. */
  get lastPacketMs(): number {
    let lastMs = 0;
    for (const { stream } of this.#streams.values()) lastMs = Math.max(lastMs, stream.lastPacketMs);
    return lastMs;
  }

  async #seal(): Promise<void> {
    this.#sealed = true;
    await this.#drain();
    await this.#surroundings.receiver.readKernelDrops();
    for (const open of this.#streams.values()) this.#rest(open);
    await this.#file.close();
  }

  // Nothing tells whether a socket is empty, so the loop turns until two turns in a row brought nothing.
  async #drain(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_DRAIN_TURNS && quiet < 2; turn++) {
      const before = this.#seen();
      await nextTurn();
      quiet = this.#seen() === before ? quiet + 1 : 0;
    }
  }

  #seen(): number {
    this.#surroundings.receiver.handOver();
    let seen = 0;
    for (const { stream } of this.#streams.values()) seen += stream.seen;
    return seen;
  }

  #rest(open: OpenStream): void {
    const { stream, rtcp, close } = open;
    if (stream.resting) return;
    stream.rest();
    open.kernelDropsAtRest = open.rtp.kernelDrops;
    const { clock, settings, onRested, restingPorts } = this.#surroundings;
    const end = closeOnce(async () => {
      timer.cancel();
      if (restingPorts.get(stream.address.rtpPort) === end) restingPorts.delete(stream.address.rtpPort);
      await close();
      // An announced port may have other users; who counts them tells when it is free.
      if (rtcp) onRested(stream.address.rtpPort);
    });
    const timer = clock.after(settings.restMs, () => void end());
    restingPorts.set(stream.address.rtpPort, end);
  }
}

function kernelDropsOf({ rtp, kernelDropsBefore, kernelDropsAtRest }: OpenStream): number | null {
  const drops = kernelDropsAtRest ?? rtp.kernelDrops;
  return drops === null ? null : Math.max(0, drops - kernelDropsBefore);
}

/** Null if the port is taken, or not ours to take. */
async function openUnlessTaken(
  receiver: DatagramReceiver,
  address: string,
  port: number,
  sink: DatagramSink,
): Promise<ReceiverPort | null> {
  try {
    return await receiver.open(address, port, sink);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES') return null;
    throw error;
  }
}
