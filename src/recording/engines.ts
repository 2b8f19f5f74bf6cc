// The engines that the heart needs, as interfaces. capture/, render/ and archive/ implement them; they import this, never the reverse.
import type { DeclaredFormat } from './declared-formats.ts';
import type { RecordingDocument } from './document.ts';

import type {
  AnnouncedAddress,
  AnnouncedPort,
  MediaFormat,
  SipRecord,
  StreamAddress,
  StreamSrtp,
  StreamStatistics,
} from './media.ts';
import type { SessionState } from './session-state.ts';

/** Sockets to journal. */
export interface CaptureEngine {
  /**
   * Begins to bind a port that the client chose, before anything else is done: media follows within milliseconds. What arrives
   * before a stream takes it over is kept (bounded) and becomes the stream's first packets.
   */
  announce(address: AnnouncedAddress): AnnouncedPort;
  /** Starts a journal at `journalPath` on one worker. The directory exists. Rejects with CAPTURE_FAILED or STORAGE_FAILED. */
  open(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    /** A port that one of its streams will take over: the recording is placed beside it. */
    announced?: AnnouncedPort,
  ): Promise<CaptureSession>;
  /**
   * Goes on with a recording of an earlier process: the journal is continued behind its last whole block, and the streams get the
   * ports that their senders know; they are reserved before this returns. A port that another program has taken meanwhile is asked
   * for until it is free. Whose media is taken is learnt anew. Rejects with CAPTURE_FAILED or STORAGE_FAILED.
   */
  reopen(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    streams: readonly RestoredStream[],
  ): Promise<CaptureSession>;
  /** How near to its limits it is. Cheap; what workers say is as of about a second ago. */
  load(): CaptureLoad;
}

export interface CaptureLoad {
  portPairs: number;
  freePortPairs: number;
  /** How late the latest worker is with its work, steadily, ms. Infinity while there is no worker. */
  lagMs: number;
  /** Of the memory in which a worker's packets may wait for the disk, what is taken: 0 to 1, of the fullest worker. */
  queueShare: number;
  /** Journals whose last write failed. */
  failingJournals: number;
  /** How long the oldest write under way has been waiting for the disk. */
  writeLagMs: number;
  /** Workers that say nothing any more and have not ended yet: the calls that they have record nothing. */
  hangingWorkers: number;
}

export interface CaptureEvents {
  /** The worker died, or the disk takes nothing and memory is full: media is lost from `atMs` (Unix ms) on until `resumed`. */
  interrupted(atMs: number, reason: string): void;
  /** Ports are open again in another worker, or the disk takes what comes. */
  resumed(atMs: number): void;
  /** The journal cannot be written; `reason` is for people. May come more than once. */
  storageFailed(reason: string): void;
}

export interface CaptureStreamSpec {
  /** Unique within the recording: `s0`, `s1`, … in order of appearance. */
  streamId: string;
  label: string | null;
  /** For the clock rate behind each payload type. */
  formats: MediaFormat[];
  receiving: boolean;
  /** Absent: plain RTP. */
  srtp?: StreamSrtp;
  /** The port that the client chose; absent: a pair from our range. */
  announced?: AnnouncedPort;
}

/** A stream that an earlier process had. */
export interface RestoredStream extends Omit<CaptureStreamSpec, 'announced'> {
  address: StreamAddress;
  /** Set if the port was the client's choice. */
  announced: AnnouncedAddress | null;
}

/** What is absent stays as it is. */
export interface CaptureStreamChange {
  formats?: MediaFormat[];
  receiving?: boolean;
  srtp?: StreamSrtp;
}

/** One recording's sockets and journal. All its streams live in the same worker. */
export interface CaptureSession {
  /** Binds an even RTP port and the odd RTCP port above it, or takes over the announced port, before it resolves. Rejects with NO_PORTS or PORT_UNAVAILABLE. */
  addStream(stream: CaptureStreamSpec): Promise<StreamAddress>;
  /**
   * Changes formats, direction and keys. Media that arrives while not receiving is dropped and counted. Once it has resolved,
   * nothing is taken by the former direction any more. Never rejects: where nobody listens, nothing is taken.
   */
  updateStream(streamId: string, change: CaptureStreamChange): Promise<void>;
  /** The sockets stay bound for the rest time, discarding what arrives, then close. The statistics stay. */
  removeStream(streamId: string): void;
  writeSip(record: SipRecord): void;
  /** When the last accepted RTP packet of any stream arrived, Unix ms; null before. Refreshed about once a second. */
  readonly lastPacketMs: number | null;
  /** Current figures by stream id. */
  statistics(): Promise<Record<string, StreamStatistics>>;
  /** Flushes and closes the journal; the sockets rest and close by themselves. Idempotent. Never rejects: what failed has been told. */
  seal(): Promise<Record<string, StreamStatistics>>;
}

/** Journal to WAV. */
export interface RenderEngine {
  /** Writes `audioPath` (never half: aside, synced, renamed) and says what it found. Rejects only when nothing can be done (no journal, disk full, aborted). */
  render(job: RenderJob, signal?: AbortSignal): Promise<RenderResult>;
}

export interface RenderJob {
  journalPath: string;
  audioPath: string;
  streams: RenderStream[];
  /** Intervals in which a stream was not receiving, Unix ms; `endMs` null while open. They separate stretches. */
  pauses: { streamId: string; startMs: number; endMs: number | null }[];
  /** Number of channels: 2 for caller left and callee right, more when every party gets its own, 1 for a mix. */
  channels: number;
  /** Null keeps the streams' own rate (the highest of them). */
  sampleRateHz: number | null;
  /** RIFF INFO chunk: four-letter id to text, e.g. INAM, IART, ICRD, ICMT. */
  info: Record<string, string>;
}

export interface RenderStream {
  streamId: string;
  label: string | null;
  /** Every format declared for this stream during the call. A payload type not found here is looked up in the other streams'. */
  formats: DeclaredFormat[];
  /** 0 is left. Several streams on one channel are mixed. */
  channel: number;
  /** `rtp-time`: RTP timestamps place packets inside a stretch. `arrival`: they are not to be trusted (mod_oreka). */
  placement: 'rtp-time' | 'arrival';
  /** Streams that bring the same party again: while one of them has packets, nothing of this one is heard. */
  standIns?: string[];
}

export interface RenderResult {
  /** Null when no packet could be decoded: no WAV is written then. */
  audio: {
    sampleRateHz: number;
    channels: number;
    durationMs: number;
    /** Unix ms of the first sample: the arrival of the first packet placed, on the media clock. */
    startMs: number;
    octets: number;
    sha256: string;
  } | null;
  streams: RenderedStream[];
  /** `offsetMs` is the offset in the audio. */
  events: RenderEvent[];
  warnings: { code: string; message: string }[];
}

export interface RenderedStream extends StreamStatistics {
  streamId: string;
  /** Encodings seen, `PCMU/8000`, most packets first; unknown ones as `unknown-<payload type>`. */
  codecs: string[];
  /** Packets that came too late for their place in the audio. */
  late: number;
  /** Packets that no decoder took; they stay in the journal. */
  undecodable: number;
  /** True if some audio of this stream stands in the WAV. */
  rendered: boolean;
  /** Estimated clock of the sender against ours, parts per million; null when the call was too short to tell. */
  driftPpm: number | null;
}

export type RenderEvent =
  | { type: 'gap'; streamId: string; offsetMs: number; durationMs: number; cause: 'loss' | 'silence' | 'interruption' }
  | { type: 'dtmf'; streamId: string; offsetMs: number; durationMs: number; digit: string }
  | { type: 'source-change'; streamId: string; offsetMs: number; detail: string };

/** The spool of running recordings and the tree of finished ones. */
export interface ArchiveEngine {
  /** Makes the spool directory of a new recording and says where its journal goes. Rejects with STORAGE_FAILED. */
  createSession(recordingId: string): Promise<{ directory: string; journalPath: string; audioPath: string }>;
  /** Replaces session.json atomically. Calls for one recording are written in order. */
  saveSession(state: SessionState): Promise<void>;
  /** What a previous process left in the spool, oldest first; unreadable ones as their journals have them, else kept aside with a log line. */
  unfinishedSessions(): Promise<SessionState[]>;
  /** When the last packet of an unfinished session came, media clock, as its journal says; null without any. */
  latestPacketMs(state: SessionState): Promise<number | null>;
  /** Moves a finished recording to its place under recordings/ and removes its spool directory. Repeating it is harmless. */
  file(
    state: Pick<SessionState, 'recordingId'>,
    document: RecordingDocument,
  ): Promise<{ directory: string; document: RecordingDocument }>;
  /** Removes a session that never became a recording. */
  discardSession(recordingId: string): Promise<void>;
  /** What is left where running recordings are written, and where finished ones go. Rejects when the file system does not say. */
  space(): Promise<{ spool: StorageSpace; archive: StorageSpace }>;
}

export interface StorageSpace {
  /** For us, without what the system keeps for root. */
  freeOctets: number;
  totalOctets: number;
  /** Null where the file system has no fixed number of them. */
  freeInodes: number | null;
}
