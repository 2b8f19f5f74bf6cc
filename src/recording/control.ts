// Orders to running recordings from people and rules: pause, resume, stop. The recorder carries them out; doors and commands give them.
import type { CallDescription } from './call.ts';
import type { RenderJob } from './engines.ts';
import type { SessionState } from './session-state.ts';

/** What of a recording an order is about. */
export type ControlTarget =
  | { scope: 'call' }
  | { scope: 'stream'; streamId: string }
  | { scope: 'party'; participantId: string };

/** Who asked, for the timeline and the audit log: `api:token-name`, `cli`, `rule:3`. */
export interface ControlOrder {
  target: ControlTarget;
  by: string;
  reason: string | null;
}

export interface RecordingControl {
  /** Media of the target is dropped from now on; the client is asked with `inactive`. Rejects with NOT_FOUND or RECORDING_ENDED. */
  pause(recordingId: string, order: ControlOrder): Promise<void>;
  /** Takes back a pause of ours; a hold of the client stays. Rejects with NOT_FOUND or RECORDING_ENDED. */
  resume(recordingId: string, order: ControlOrder): Promise<void>;
  /** Ends the recording, not the call. Rejects with NOT_FOUND or RECORDING_ENDED. */
  stop(recordingId: string, order: Omit<ControlOrder, 'target'>): Promise<void>;
  /** Running recordings, newest first. */
  live(): LiveRecordingView[];
  /** One of them; null if it does not run. */
  running(recordingId: string): LiveRecordingView | null;
  /** Where the media of a running recording is, and what it is, as of now; null if it does not run. For listening in. */
  media(recordingId: string): RenderJob | null;
}

export interface RecordRequest {
  /** Of a recording client: `sip:HOST`, checked by `parseSipTarget`. */
  uri: string;
  /** Null: until the client ends it. */
  durationMs: number | null;
}

export interface RecordingInitiator {
  /**
   * Asks a client to be recorded. Resolves with the recordings' ids when they run. Rejects with CLIENT_REFUSED,
   * CLIENT_SILENT, or why nothing can be recorded now.
   */
  record(request: RecordRequest): Promise<string[]>;
}

export interface LiveRecordingView {
  recordingId: string;
  source: SessionState['source'];
  /** Media clock, Unix ms. */
  startMs: number;
  call: CallDescription;
  streams: LiveStreamView[];
  /** True if everything that could be recorded is paused by us. */
  paused: boolean;
  /** Signalling peer, `udp:10.0.0.1:5060`. */
  peer: string | null;
}

export interface LiveStreamView {
  streamId: string;
  label: string | null;
  /** 0 is left; null as long as it is not known. */
  channel: number | null;
  /** Who sends it, as far as that is known. */
  participantId: string | null;
  /** The client sends (no hold of its own). */
  receiving: boolean;
  /** Paused by us. */
  paused: boolean;
  packets?: number;
  /** When the last RTP packet was accepted, Unix ms; null before the first. */
  lastPacketMs: number | null;
}
