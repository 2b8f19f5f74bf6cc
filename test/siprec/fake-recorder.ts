// A recorder without media: it hands out ports by stream key and keeps what it was told. Can be told to fail.
import { type ErrorCode, RecorderError } from '../../src/lib/errors.ts';
import type { SipRecord, StreamAddress } from '../../src/recording/media.ts';
import type {
  ActiveRecording,
  Recorder,
  StartRecording,
  Unwanted,
  UpdateRecording,
} from '../../src/recording/recorder-interface.ts';
import type { BringingSession, EndReason } from '../../src/recording/session-state.ts';
import type { SiprecRecorder } from '../../src/siprec/shared-recording.ts';

export class FakeRecording implements ActiveRecording {
  readonly id: string;
  readonly request: StartRecording;
  readonly updates: UpdateRecording[] = [];
  readonly journal: SipRecord[] = [];
  readonly stops: EndReason[] = [];
  sessions: BringingSession[] = [];
  door: unknown = null;
  /** As after a pause; `request.onUnwantedChanged` tells the door. */
  unwantedKeys = new Set<string>();
  /** The next update fails with this code; NO_PORTS still applies what it can. */
  failUpdate: ErrorCode | null = null;
  /** Awaited by every update. */
  updateGate: Promise<void> = Promise.resolve();
  readonly #addresses = new Map<string, StreamAddress>();

  constructor(id: string, request: StartRecording) {
    this.id = id;
    this.request = request;
    this.#place(request.streams, null);
  }

  addresses(): Map<string, StreamAddress> {
    return new Map(this.#addresses);
  }

  unwanted(): Map<string, Unwanted> {
    return new Map([...this.unwantedKeys].map((key) => [key, 'paused']));
  }

  async update(change: UpdateRecording): Promise<void> {
    await this.updateGate;
    if (this.stops.length > 0) throw new RecorderError('RECORDING_ENDED');
    this.updates.push(change);
    const fail = this.failUpdate;
    this.failUpdate = null;
    if (change.streams) this.#place(change.streams, fail);
    if (fail) throw new RecorderError(fail);
  }

  journalSip(record: SipRecord): void {
    this.journal.push(record);
  }

  setSessions(sessions: BringingSession[], door: unknown): void {
    this.sessions = sessions;
    this.door = door;
  }

  async stop(reason: EndReason): Promise<void> {
    this.stops.push(reason);
  }

  /** Start lines of what was journalled, with a direction mark. */
  get journalLines(): string[] {
    return this.journal.map(({ direction, message }) => {
      const line = Buffer.from(message).toString().split('\r\n')[0];
      return `${direction === 'received' ? '<' : '>'} ${line}`;
    });
  }

  #place(streams: StartRecording['streams'], fail: ErrorCode | null): void {
    const keys = new Set(streams.map((stream) => stream.key));
    for (const key of this.#addresses.keys()) if (!keys.has(key)) this.#addresses.delete(key);
    for (const { key } of streams) {
      if (this.#addresses.has(key) || fail === 'NO_PORTS') continue;
      // `2:0` is stream 0 of the second session.
      const [index, session = '1'] = key.split(':').toReversed();
      const rtpPort = 40_000 + 2 * Number(index) + 100 * (Number(session) - 1);
      this.#addresses.set(key, { rtpPort, rtcpPort: rtpPort + 1 });
    }
  }
}

export class FakeRecorder implements SiprecRecorder {
  readonly recordings: FakeRecording[] = [];
  failStart: ErrorCode | Error | null = null;
  refusing: ReturnType<Recorder['refusal']> = null;
  /** Calls that were said to have been refused. */
  refused = 0;
  /** Awaited by every start. */
  startGate: Promise<void> = Promise.resolve();

  async start(request: StartRecording): Promise<ActiveRecording> {
    await this.startGate;
    if (this.failStart instanceof Error) throw this.failStart;
    if (this.failStart) throw new RecorderError(this.failStart);
    const recording = new FakeRecording(`recording-${this.recordings.length + 1}`, request);
    this.recordings.push(recording);
    return recording;
  }

  refusal(): ReturnType<Recorder['refusal']> {
    return this.refusing;
  }

  countRefused(): void {
    this.refused++;
  }

  /** The only recording of a test. */
  get recording(): FakeRecording {
    const [first] = this.recordings;
    if (!first) throw new Error('nothing was recorded');
    return first;
  }
}
