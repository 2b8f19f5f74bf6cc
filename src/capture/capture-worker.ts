// The inside of a capture worker: recordings by id, the rhythm of writing and reporting, the answers to requests.
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { Timers } from '../lib/timers.ts';
import { AnnouncedPorts } from './announced-ports.ts';
import type { Handlers } from './channel.ts';
import { type FileSystem, JournalFile } from './journal-file.ts';
import type { CaptureCalls, CaptureNews, CaptureNotice, WorkerSettings, WorkerSums } from './protocol.ts';
import type { DatagramReceiver } from './receiver.ts';
import { SpareBuffers } from './spare-buffers.ts';
import { type RecordingSurroundings, WorkerRecording } from './worker-recording.ts';

/** The journals are written in turns, so that the disk is not asked for all of them in one moment; each turn is a wake-up. */
const FLUSH_TURNS = 2;
/** A timer may come late. */
const FLUSH_MARGIN_MS = 10;
const ACTIVITY_MS = 1000;
/** A client announces a port, and the stream that uses it is added at once. */
const CLAIM_WITHIN_MS = 10_000;
/** However many wait: less would drop packets in ordinary operation. */
const MIN_RECORDING_BUFFER_OCTETS = 128 << 10;

export interface CaptureWorkerOptions {
  settings: WorkerSettings;
  clock: Clock;
  receiver: DatagramReceiver;
  tell: (news: CaptureNews) => void;
  fileSystem: FileSystem;
}

export class CaptureWorker {
  readonly #options: CaptureWorkerOptions;
  readonly #surroundings: RecordingSurroundings;
  readonly #announced: AnnouncedPorts;
  readonly #recordings = new Map<string, WorkerRecording>();
  /** Sealed ones whose sockets rest. */
  readonly #resting = new Set<WorkerRecording>();
  readonly #timers: Timers<'flush' | 'activity'>;
  readonly #turns = Array.from({ length: FLUSH_TURNS }, () => new Set<WorkerRecording>());
  readonly #spares = new SpareBuffers();
  #turn = 0;
  #opened = 0;
  /** The least delay of a turn since the last report. */
  #lagMs = Number.POSITIVE_INFINITY;
  /** When the sockets had been read last, and how much later than in a turn's time that was at worst since the last report. */
  #readMs = 0;
  #handOverLagMs = 0;
  #toldMs = 0;

  constructor(options: CaptureWorkerOptions) {
    this.#options = options;
    const { settings, clock, receiver } = options;
    const onRested = (rtpPort: number) => this.#rested(rtpPort);
    const onJournalFull = (recordingId: string, state: 'full' | 'taking', atMs: number) =>
      options.tell({ type: 'journalFull', recordingId, state, atMs });
    const onClosed = (port: number) => this.#rested(port - (port % 2));
    this.#announced = new AnnouncedPorts({ receiver, clock, claimWithinMs: CLAIM_WITHIN_MS, onClosed });
    this.#surroundings = {
      settings,
      clock,
      receiver,
      announced: this.#announced,
      restingPorts: new Map(),
      onRested,
      onJournalFull,
    };
    this.#timers = new Timers(clock);
  }

  #begin(): void {
    this.#readMs = this.#toldMs = this.#options.clock.nowMs();
    this.#flushLater();
    this.#tellActivityLater();
  }

  readonly handlers: Handlers<CaptureCalls> = {
    open: async ({ recordingId, journalPath }) => {
      if (this.#recordings.has(recordingId))
        throw new RecorderError('CAPTURE_FAILED', 'The recording is open already.');
      const { clock, tell, fileSystem } = this.#options;
      const { sync } = this.#options.settings;
      const onFailure = (reason: string): void => tell({ type: 'storageFailed', recordingId, reason });
      let file: JournalFile;
      try {
        file = await JournalFile.open({ path: journalPath, clock, onFailure, fileSystem, spares: this.#spares, sync });
      } catch (error) {
        throw new RecorderError('STORAGE_FAILED', String(error));
      }
      const recording = new WorkerRecording(recordingId, file, this.#surroundings);
      this.#recordings.set(recordingId, recording);
      this.#turns[this.#opened++ % FLUSH_TURNS]!.add(recording);
      return undefined;
    },
    announce: async ({ id, address }) => ({ problem: await this.#announced.announce(id, address) }),
    endRest: async ({ rtpPort }) => {
      await this.#surroundings.restingPorts.get(rtpPort)?.();
      return undefined;
    },
    addStream: async ({ recordingId, stream, address, announcement }) => {
      try {
        const recording = this.#recording(recordingId);
        const bound = announcement
          ? await recording.addAnnouncedStream(stream, address, announcement)
          : await recording.addStream(stream, address);
        return { bound };
      } catch (error) {
        if (error instanceof RecorderError) throw error;
        throw new RecorderError('CAPTURE_FAILED', String(error));
      }
    },
    updateStream: async ({ recordingId, streamId, change }) => {
      // What arrived before the order is judged as before.
      this.#options.receiver.handOver();
      this.#recording(recordingId).updateStream(streamId, change);
      return undefined;
    },
    statistics: async ({ recordingId }) => this.#recording(recordingId).statistics(),
    seal: async ({ recordingId }) => {
      const recording = this.#recording(recordingId);
      const statistics = await recording.seal();
      this.#forget(recording);
      return statistics;
    },
    close: async () => {
      this.#timers.clearAll();
      const open = [...this.#recordings.values()];
      await Promise.all(open.map((recording) => recording.seal()));
      await Promise.all([...open, ...this.#resting].map((recording) => recording.closeSockets()));
      await this.#announced.close();
      this.#recordings.clear();
      return undefined;
    },
  };

  notice(notice: CaptureNotice): void {
    if (notice.type === 'begin') {
      this.#begin();
      return;
    }
    if (notice.type === 'writeSip') {
      // Packets that wait to be read are not affected.
      for (const { recordingId, record } of notice.gathered) this.#recordings.get(recordingId)?.writeSip(record);
      return;
    }
    this.#options.receiver.handOver();
    if (notice.type === 'releaseAnnouncement') {
      this.#announced.release(notice.id);
      return;
    }
    const recording = this.#recordings.get(notice.recordingId);
    if (!recording) return;
    switch (notice.type) {
      case 'removeStream':
        recording.removeStream(notice.streamId);
        break;
      default:
        notice satisfies never;
    }
  }

  #recording(recordingId: string): WorkerRecording {
    const recording = this.#recordings.get(recordingId);
    if (!recording) throw new RecorderError('RECORDING_ENDED');
    return recording;
  }

  #forget(recording: WorkerRecording): void {
    this.#recordings.delete(recording.recordingId);
    for (const turn of this.#turns) turn.delete(recording);
    this.#resting.add(recording);
    this.#options.clock.after(this.#options.settings.restMs, () => this.#resting.delete(recording));
  }

  #flushLater(): void {
    const { settings, clock } = this.#options;
    const turnMs = Math.max(1, settings.flushMs - FLUSH_MARGIN_MS) / FLUSH_TURNS;
    const dueMs = clock.nowMs() + turnMs;
    this.#timers.set('flush', turnMs, () => {
      this.#lagMs = Math.min(this.#lagMs, Math.max(0, clock.nowMs() - dueMs));
      this.#options.receiver.handOver();
      const nowMs = clock.nowMs();
      this.#handOverLagMs = Math.max(this.#handOverLagMs, nowMs - this.#readMs - turnMs);
      this.#readMs = nowMs;
      this.#turn = (this.#turn + 1) % FLUSH_TURNS;
      for (const recording of this.#turns[this.#turn]!) recording.flush();
      this.#flushLater();
    });
  }

  #tellActivityLater(): void {
    this.#timers.set('activity', ACTIVITY_MS, () => {
      this.#tellActivity();
      this.#tellActivityLater();
    });
  }

  #tellActivity(): void {
    this.#options.receiver.handOver();
    const recordingIds: string[] = [];
    const lastPacketMs: number[] = [];
    const nowMs = this.#options.clock.nowMs();
    for (const recording of this.#recordings.values()) {
      recording.sendReports(nowMs);
      const lastMs = recording.lastPacketMs;
      if (lastMs <= recording.reportedMs) continue;
      recording.reportedMs = lastMs;
      recordingIds.push(recording.recordingId);
      lastPacketMs.push(lastMs);
    }
    const sums = this.#sums(nowMs);
    this.#shareMemory(sums.waitingOctets);
    this.#options.tell({ type: 'activity', recordingIds, lastPacketMs, sums });
  }

  /** When the disk does not keep up everywhere, each recording gets an equal part of the worker's memory. */
  #shareMemory(waitingOctets: number): void {
    const { recordingBufferOctets, workerBufferOctets } = this.#options.settings;
    const share = Math.max(MIN_RECORDING_BUFFER_OCTETS, workerBufferOctets / Math.max(1, this.#recordings.size));
    const limit =
      waitingOctets > workerBufferOctets / 2 ? Math.min(share, recordingBufferOctets) : recordingBufferOctets;
    for (const recording of this.#recordings.values()) recording.limitOctets = limit;
  }

  #sums(nowMs: number): WorkerSums {
    let packetsSince = 0;
    const sums: WorkerSums = {
      recordings: this.#recordings.size,
      streams: 0,
      waitingOctets: 0,
      packets: 0,
      dropped: 0,
      lagMs: Number.isFinite(this.#lagMs) ? this.#lagMs : 0,
      failingJournals: 0,
      packetsPerSecond: 0,
      handOverLagMs: this.#handOverLagMs,
      writeLagMs: 0,
    };
    this.#lagMs = Number.POSITIVE_INFINITY;
    for (const recording of this.#recordings.values()) {
      sums.waitingOctets += recording.waitingOctets;
      if (recording.journalFails) sums.failingJournals++;
      sums.writeLagMs = Math.max(sums.writeLagMs, nowMs - recording.writingSinceMs);
      packetsSince += recording.takePacketsSince();
      for (const stream of recording.streams) {
        sums.streams++;
        sums.packets += stream.packets;
        sums.dropped += stream.dropped;
      }
    }
    sums.packetsPerSecond = (packetsSince * 1000) / Math.max(1, nowMs - this.#toldMs);
    this.#toldMs = nowMs;
    this.#handOverLagMs = 0;
    return sums;
  }

  #rested(rtpPort: number): void {
    this.#options.tell({ type: 'rested', rtpPorts: [rtpPort] });
  }
}
