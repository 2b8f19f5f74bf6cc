// The whole recorder but sockets and disks' delays: the real door, the real heart, the real renderer, under a clock that
// the test moves. What a client sends is put into the journal as the capture core would put it there.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../src/lib/log.ts';
import { type RecordingDocument, recordingDocument } from '../../../src/recording/document.ts';
import type { ArchiveEngine, CaptureEngine, CaptureStreamSpec } from '../../../src/recording/engines.ts';
import { Finisher } from '../../../src/recording/finisher.ts';
import type { StreamStatistics } from '../../../src/recording/media.ts';
import { LiveRecorder } from '../../../src/recording/recorder.ts';
import { type RecordingRule, RecordingRules } from '../../../src/recording/rules.ts';
import type { SessionState } from '../../../src/recording/session-state.ts';
import { renderJob } from '../../../src/render/job.ts';
import { createSiprecDoor, type SiprecDoor } from '../../../src/siprec/door.ts';
import { FakeArchive, FakeCapture, FakeCaptureSession, noStatistics } from '../../recording/fakes.ts';
import { readWav, silentBetween, toneLevel } from '../../support/listen.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { encode, PCMU, START_MS, type SyntheticPacket, writeJournal } from '../../support/synthetic-journal.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { FakeSrf } from '../fake-srf.ts';

const PACKET_MS = 20;

/** Somebody who talks, as one tone, into one port. */
export interface Speaker {
  port: number;
  hz: number;
  format?: typeof PCMU;
}

interface Talking extends Speaker {
  ssrc: number;
  packets: number;
}

export interface FinishedCall {
  document: RecordingDocument;
  channels: number;
  /** True if that tone and none of the others stands in the channel between the two offsets. */
  hears(channel: number, hz: number, fromMs: number, toMs: number): boolean;
  silent(channel: number, fromMs: number, toMs: number): boolean;
  /** dB of a full-scale sine. */
  level(channel: number, hz: number, fromMs: number, toMs: number): number;
}

/** Tones in use: none is a multiple of another. */
export const TONES = { alice: 440, bob: 700, carol: 1_010, dave: 1_330 };

export class VirtualRecorder {
  readonly clock = new ManualClock(START_MS);
  readonly srf = new FakeSrf();
  readonly door: SiprecDoor;
  readonly recorder: LiveRecorder;
  readonly #ports = new Map<number, CapturedStream>();
  readonly #finisher: Finisher;
  readonly #filed: FinishedCall[] = [];
  #talking: Talking[] = [];
  #streams = 0;
  #speakers = 0;

  static async create(rules: RecordingRule[] = []): Promise<VirtualRecorder> {
    return new VirtualRecorder(await temporaryDirectory(), new RecordingRules(rules));
  }

  private constructor(directory: string, rules: RecordingRules) {
    const { clock } = this;
    const render = { render: async (job: Parameters<typeof renderJob>[0]) => renderJob(job) };
    const archive = archiveIn(directory, (document, audioPath) => this.#filed.push(finished(document, audioPath)));
    const audio = { layout: 'stereo' as const, sampleRateHz: null };
    const log = silentLog;
    this.#finisher = new Finisher({ render, archive, clock, log, audio, concurrency: 1, onFiled: () => {} });
    const limits = {
      ...{ maxRecordings: 50, floorMiB: 0, floorPercent: 0, reservePerRecordingMiB: 0 },
      ...{ inactivityMs: 60_000, holdInactivityMs: 600_000, maxDurationMs: 3_600_000 },
    };
    const capture = this.#capture();
    this.recorder = new LiveRecorder({ capture, archive, finisher: this.#finisher, clock, log, limits, rules });
    this.door = createSiprecDoor({ srf: this.srf, recorder: this.recorder, clock, log, mediaAddress: '192.0.2.10' });
    this.door.start();
  }

  /** From now on, until `hush`. */
  talk(...speakers: Speaker[]): void {
    for (const speaker of speakers) {
      this.#talking.push({ ...speaker, ssrc: 0x5000 + ++this.#speakers, packets: 0 });
    }
  }

  /** Whoever talks into that port stops, or everybody. */
  hush(port?: number): void {
    this.#talking = this.#talking.filter((talking) => port !== undefined && talking.port !== port);
  }

  /** Time goes by, and whoever talks is heard. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += PACKET_MS) {
      for (const talking of this.#talking) this.#send(talking);
      this.clock.advance(PACKET_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Everything that has been filed by now, in order. */
  async finished(): Promise<FinishedCall[]> {
    await this.settle();
    await this.#finisher.idle();
    return this.#filed;
  }

  #send(talking: Talking): void {
    const stream = this.#ports.get(talking.port);
    const format = talking.format ?? PCMU;
    const samples = (format.clockRateHz * PACKET_MS) / 1000;
    const first = talking.packets++ * samples;
    const step = (2 * Math.PI * talking.hz) / format.clockRateHz;
    const pcm = Int16Array.from({ length: samples }, (_, i) => Math.round(12_000 * Math.sin(step * (first + i))));
    stream?.receive({
      streamId: stream.spec.streamId,
      arrivalMs: this.clock.nowMs() - START_MS,
      payloadType: format.payloadType,
      sequenceNumber: talking.packets,
      rtpTime: first,
      ssrc: talking.ssrc,
      payload: encode(format, pcm),
    });
  }

  /** The ports of all recordings, so that a speaker needs to know no more than a port. */
  #capture(): CaptureEngine {
    const capture = new FakeCapture();
    capture.open = async (recordingId, journalPath, events) => {
      const packets: SyntheticPacket[] = [];
      const streams = new Map<string, CapturedStream>();
      const statistics = async () =>
        Object.fromEntries([...streams].map(([streamId, stream]) => [streamId, stream.statistics()]));
      return Object.assign(new FakeCaptureSession(recordingId, events, capture), {
        addStream: async (spec: CaptureStreamSpec) => {
          const rtpPort = 40_000 + 2 * this.#streams++;
          const stream = new CapturedStream(spec, packets);
          streams.set(spec.streamId, stream);
          this.#ports.set(rtpPort, stream);
          return { rtpPort, rtcpPort: rtpPort + 1 };
        },
        updateStream: async (streamId: string, change: Partial<CaptureStreamSpec>) => {
          Object.assign(streams.get(streamId)!.spec, change);
        },
        removeStream: (streamId: string) => Object.assign(streams.get(streamId)!.spec, { receiving: false }),
        statistics,
        seal: async () => {
          for (const stream of streams.values()) stream.spec.receiving = false;
          writeJournal(journalPath, packets);
          return statistics();
        },
      });
    };
    return capture;
  }
}

class CapturedStream {
  readonly spec: CaptureStreamSpec;
  readonly #packets: SyntheticPacket[];
  #accepted = 0;
  #dropped = 0;

  constructor(spec: CaptureStreamSpec, packets: SyntheticPacket[]) {
    this.spec = { ...spec };
    this.#packets = packets;
  }

  receive(packet: SyntheticPacket): void {
    if (!this.spec.receiving) this.#dropped++;
    else {
      this.#accepted++;
      this.#packets.push(packet);
    }
  }

  statistics(): StreamStatistics {
    const drops: Record<string, number> = this.#dropped > 0 ? { 'not-receiving': this.#dropped } : {};
    return { ...noStatistics, packets: this.#accepted, drops };
  }
}

function archiveIn(root: string, filed: (document: RecordingDocument, audioPath: string) => void): ArchiveEngine {
  return Object.assign(new FakeArchive(), {
    createSession: async (recordingId: string) => {
      const directory = join(root, recordingId);
      mkdirSync(directory);
      return { directory, journalPath: join(directory, 'capture.pcapng'), audioPath: join(directory, 'audio.wav') };
    },
    file: async (state: SessionState, document: RecordingDocument) => {
      filed(recordingDocument.parse(document), state.audioPath);
      return { directory: state.directory, document };
    },
  });
}

function finished(document: RecordingDocument, audioPath: string): FinishedCall {
  const wav = document.audio === null ? null : readWav(audioPath);
  const samples = (channel: number) => wav?.channels[channel] ?? new Int16Array();
  const level = (channel: number, hz: number, fromMs: number, toMs: number) =>
    toneLevel(samples(channel), wav?.sampleRateHz ?? 8000, hz, fromMs, toMs);
  return {
    document,
    channels: wav?.channels.length ?? 0,
    level,
    hears: (channel, hz, fromMs, toMs) =>
      Object.values(TONES).every((tone) => level(channel, tone, fromMs, toMs) > -20 === (tone === hz)),
    silent: (channel, fromMs, toMs) => silentBetween(samples(channel), wav?.sampleRateHz ?? 8000, fromMs, toMs),
  };
}
