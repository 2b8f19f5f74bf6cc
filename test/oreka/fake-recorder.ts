// A recorder without media: it binds ports by name only and keeps what it was told. Can be told to fail.
import { type ErrorCode, RecorderError } from '../../src/lib/errors.ts';
import type { OrekaRecorder } from '../../src/oreka/call.ts';
import type { Warning } from '../../src/recording/call.ts';
import type {
  AnnouncedAddress,
  AnnouncedPort,
  OfferedStream,
  SipRecord,
  StreamAddress,
} from '../../src/recording/media.ts';
import type {
  ActiveRecording,
  StartRecording,
  Unwanted,
  UpdateRecording,
} from '../../src/recording/recorder-interface.ts';
import type { EndReason } from '../../src/recording/session-state.ts';

export class FakePort implements AnnouncedPort {
  readonly address: AnnouncedAddress;
  readonly bound: Promise<void>;
  released = false;

  constructor(address: AnnouncedAddress, failure: Error | null, gate: Promise<void> | undefined) {
    this.address = address;
    this.bound = failure ? Promise.reject(failure) : (gate ?? Promise.resolve());
    this.bound.catch(() => {});
  }

  release(): void {
    this.released = true;
  }
}

export class FakeRecording implements ActiveRecording {
  readonly id: string;
  readonly request: StartRecording;
  readonly updates: UpdateRecording[] = [];
  readonly journal: SipRecord[] = [];
  readonly stops: EndReason[] = [];
  /** The recorder itself has ended it. */
  over = false;
  /** The next update fails with this. */
  failUpdate: ErrorCode | null = null;
  #streams: OfferedStream[];

  constructor(id: string, request: StartRecording) {
    this.id = id;
    this.request = request;
    this.#streams = request.streams;
  }

  addresses(): Map<string, StreamAddress> {
    return new Map(
      this.#streams.map(({ key, announced }) => {
        const rtpPort = announced?.address.port ?? 0;
        return [key, { rtpPort, rtcpPort: rtpPort + 1 }];
      }),
    );
  }

  unwanted(): Map<string, Unwanted> {
    return new Map();
  }

  async update(change: UpdateRecording): Promise<void> {
    if (this.stops.length > 0 || this.over) throw new RecorderError('RECORDING_ENDED');
    this.updates.push(change);
    const fail = this.failUpdate;
    this.failUpdate = null;
    if (change.streams) this.#streams = await had(change.streams);
    if (fail === 'PORT_UNAVAILABLE') this.#streams = this.#streams.slice(0, -1);
    if (fail) throw new RecorderError(fail);
    if (change.streams && this.#streams.length < change.streams.length) throw new RecorderError('PORT_UNAVAILABLE');
  }

  journalSip(record: SipRecord): void {
    this.journal.push(record);
  }

  setSessions(): void {}

  async stop(reason: EndReason): Promise<void> {
    this.stops.push(reason);
  }

  /** As the inactivity limit does. */
  end(reason: EndReason): void {
    this.over = true;
    this.request.onEnded(reason);
  }

  /** Keys of the streams that it has now. */
  get streams(): string[] {
    return this.#streams.map((stream) => stream.key);
  }

  get warnings(): Warning[] {
    return [...this.request.warnings, ...this.updates.flatMap((update) => update.warnings ?? [])];
  }

  /** The call as told last. */
  get call(): StartRecording['call'] {
    return this.updates.findLast((update) => update.call)?.call ?? this.request.call;
  }

  /** First words of what was journalled, with a direction mark. */
  get journalLines(): string[] {
    return this.journal.map(({ direction, message }) => {
      const text = Buffer.from(message).toString();
      const subject = /^Subject: (\w+ \w+)/m.exec(text)?.[1] ?? text.split('\r\n')[0];
      return `${direction === 'received' ? '<' : '>'} ${subject}`;
    });
  }
}

export class FakeRecorder implements OrekaRecorder {
  readonly ports: FakePort[] = [];
  readonly recordings: FakeRecording[] = [];
  /** Ports that cannot be had, and why. */
  readonly unavailable = new Map<number, ErrorCode>();
  /** Ports that are bound only when these resolve. */
  readonly bindGates = new Map<number, Promise<void>>();
  failStart: ErrorCode | Error | null = null;
  /** Awaited by every start. */
  startGate: Promise<void> = Promise.resolve();

  announce(address: AnnouncedAddress): FakePort {
    const code = this.unavailable.get(address.port);
    const port = new FakePort(
      address,
      code ? new RecorderError(code, `port ${address.port}`) : null,
      this.bindGates.get(address.port),
    );
    this.ports.push(port);
    return port;
  }

  async start(request: StartRecording): Promise<ActiveRecording> {
    await this.startGate;
    if (this.failStart instanceof Error) throw this.failStart;
    if (this.failStart) throw new RecorderError(this.failStart);
    if ((await had(request.streams)).length < request.streams.length) throw new RecorderError('PORT_UNAVAILABLE');
    const recording = new FakeRecording(`recording-${this.recordings.length + 1}`, request);
    this.recordings.push(recording);
    return recording;
  }

  /** The only recording of a test. */
  get recording(): FakeRecording {
    if (this.recordings.length !== 1) throw new Error(`${this.recordings.length} recordings instead of one`);
    return this.recordings[0]!;
  }

  /** Numbers of the ports that nobody has released. */
  get held(): number[] {
    return this.ports.filter((port) => !port.released).map((port) => port.address.port);
  }
}

/** Those whose port could be bound. */
async function had(streams: OfferedStream[]): Promise<OfferedStream[]> {
  const results = await Promise.allSettled(streams.map((stream) => stream.announced?.bound));
  return streams.filter((_, index) => results[index]?.status === 'fulfilled');
}
