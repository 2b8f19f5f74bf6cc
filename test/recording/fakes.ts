// Engines that do nothing but remember, and can be told to fail.
import type { CallDescription } from '../../src/recording/call.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import type {
  ArchiveEngine,
  CaptureEngine,
  CaptureEvents,
  CaptureLoad,
  CaptureStreamSpec,
  RenderEngine,
  RenderJob,
  RenderResult,
  RestoredStream,
  StorageSpace,
} from '../../src/recording/engines.ts';
import type {
  AnnouncedAddress,
  AnnouncedPort,
  OfferedStream,
  SipRecord,
  StreamStatistics,
} from '../../src/recording/media.ts';
import type { StartRecording } from '../../src/recording/recorder-interface.ts';
import type { SessionState } from '../../src/recording/session-state.ts';

export const noStatistics: StreamStatistics = {
  packets: 0,
  octets: 0,
  lost: 0,
  duplicates: 0,
  reordered: 0,
  jitterMs: 0,
  rtcpPackets: 0,
  ssrcs: [],
  payloadTypes: {},
  sources: [],
  firstPacketMs: null,
  lastPacketMs: null,
  drops: {},
};

export class FakeCapture implements CaptureEngine {
  sessions: FakeCaptureSession[] = [];
  failOpen: Error | null = null;
  /** Fails the n-th addStream of a session, counted from 1. */
  failStream: { nth: number; error: Error } | null = null;

  current: CaptureLoad = {
    portPairs: 1000,
    freePortPairs: 1000,
    lagMs: 0,
    queueShare: 0,
    failingJournals: 0,
    hangingWorkers: 0,
    writeLagMs: 0,
  };

  load(): CaptureLoad {
    return this.current;
  }

  announce(address: AnnouncedAddress): AnnouncedPort {
    return { address, bound: Promise.resolve(), release: () => {} };
  }

  async open(recordingId: string, _journalPath: string, events: CaptureEvents) {
    if (this.failOpen) throw this.failOpen;
    const session = new FakeCaptureSession(recordingId, events, this);
    this.sessions.push(session);
    return session;
  }

  async reopen(recordingId: string, journalPath: string, events: CaptureEvents, streams: readonly RestoredStream[]) {
    const session = await this.open(recordingId, journalPath, events);
    session.restored.push(...streams);
    return session;
  }
}

export class FakeCaptureSession {
  lastPacketMs: number | null = null;
  streams: CaptureStreamSpec[] = [];
  restored: RestoredStream[] = [];
  updates: { streamId: string; receiving: boolean | undefined }[] = [];
  removed: string[] = [];
  sip: SipRecord[] = [];
  seals = 0;
  packets = 0;
  readonly recordingId: string;
  readonly events: CaptureEvents;
  readonly #owner: FakeCapture;

  constructor(recordingId: string, events: CaptureEvents, owner: FakeCapture) {
    this.recordingId = recordingId;
    this.events = events;
    this.#owner = owner;
  }

  async addStream(stream: CaptureStreamSpec) {
    const failure = this.#owner.failStream;
    if (failure && this.streams.length + 1 === failure.nth) throw failure.error;
    this.streams.push(stream);
    const rtpPort = 40_000 + 2 * this.streams.length;
    return { rtpPort, rtcpPort: rtpPort + 1 };
  }

  async updateStream(streamId: string, change: { receiving?: boolean }) {
    this.updates.push({ streamId, receiving: change.receiving });
  }

  removeStream(streamId: string) {
    this.removed.push(streamId);
  }

  writeSip(record: SipRecord) {
    this.sip.push(record);
  }

  async statistics() {
    return Object.fromEntries(
      this.streams.map(({ streamId }) => [streamId, { ...noStatistics, packets: this.packets }]),
    );
  }

  async seal() {
    this.seals++;
    return this.statistics();
  }
}

export class FakeArchive implements ArchiveEngine {
  saved: SessionState[] = [];
  filed: RecordingDocument[] = [];
  discarded: string[] = [];
  left: SessionState[] = [];
  failFile: Error | null = null;
  roomy: StorageSpace = { freeOctets: 100 * 2 ** 30, totalOctets: 200 * 2 ** 30, freeInodes: 1_000_000 };

  async space() {
    return { spool: this.roomy, archive: this.roomy };
  }

  async createSession(recordingId: string) {
    const directory = `/spool/${recordingId}`;
    return { directory, journalPath: `${directory}/capture.pcapng`, audioPath: `${directory}/audio.wav` };
  }

  async saveSession(state: SessionState) {
    this.saved.push(structuredClone(state));
  }

  async unfinishedSessions() {
    return this.left;
  }

  /** By recording id. */
  latest = new Map<string, number>();

  async latestPacketMs({ recordingId }: SessionState) {
    return this.latest.get(recordingId) ?? null;
  }

  async file(state: SessionState, document: RecordingDocument) {
    if (this.failFile) throw this.failFile;
    this.filed.push(document);
    return { directory: `/recordings/${state.recordingId}`, document };
  }

  async discardSession(recordingId: string) {
    this.discarded.push(recordingId);
  }
}

export class FakeRender implements RenderEngine {
  jobs: RenderJob[] = [];
  /** One entry is taken per job; an Error rejects. Empty: an empty result. */
  outcomes: (RenderResult | Error)[] = [];

  async render(job: RenderJob): Promise<RenderResult> {
    this.jobs.push(job);
    const outcome = this.outcomes.shift() ?? { audio: null, streams: [], events: [], warnings: [] };
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }
}

export const callOf = (...ids: string[]): CallDescription => ({
  participants: ids.map((participantId, index) => ({
    participantId,
    aor: `sip:${participantId}@example.com`,
    name: participantId,
    sends: [String(index)],
    role: null,
  })),
  identifiers: {
    sipCallId: 'call-1',
    communicationSessionId: 'cs-1',
    sipSessionIds: ['original-call'],
    groupId: null,
    vendor: {},
  },
  statedStartMs: null,
  extraHeaders: [],
});

export const offered = (label: string, sending = true): OfferedStream => ({
  label,
  key: label,
  sending,
  formats: [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, channels: 1, fmtp: null }],
});

export const startRequest = (over: Partial<StartRecording> = {}): StartRecording => ({
  source: 'siprec',
  call: callOf('alice', 'bob'),
  streams: [offered('0'), offered('1')],
  metadata: null,
  warnings: [],
  peer: 'udp:127.0.0.1:5060',
  onEnded: () => {},
  ...over,
});
