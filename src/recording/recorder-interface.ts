// What a door may ask of the recorder.
import type { RefusalCode } from './admission.ts';
import type { CallDescription, RawMetadata, Warning } from './call.ts';
import type { AnnouncedAddress, AnnouncedPort, OfferedStream, SipRecord, StreamAddress } from './media.ts';
import type { BringingSession, EndReason } from './session-state.ts';

export interface StartRecording {
  source: 'siprec' | 'oreka';
  call: CallDescription;
  streams: OfferedStream[];
  metadata: RawMetadata | null;
  warnings: Warning[];
  /** Signalling peer, `udp:10.0.0.1:5060`. */
  peer: string | null;
  /** Instead of the configured limits, on hold or not, for clients whose silence says little (mod_oreka). */
  inactivityMs?: number;
  /** As for `ActiveRecording.setSessions`; on the disk when `start` resolves, so before anybody can have been answered. */
  brought?: { sessions?: BringingSession[]; door: unknown };
  /** Asked of the door when the recorder itself ends the recording, so that it can end the dialog. */
  onEnded: (reason: EndReason) => void;
  /** Called when `ActiveRecording.unwanted` has changed: the client is to be asked. Absent where nothing can be asked. */
  onUnwantedChanged?: () => void;
}

/** All parts are optional: what is absent stays as it was. */
export interface UpdateRecording {
  call?: CallDescription;
  /** The complete list: streams that are missing from it have been removed. Matched by `key`. */
  streams?: OfferedStream[];
  metadata?: RawMetadata;
  warnings?: Warning[];
}

export interface Recorder {
  /** Begins to bind a port that the client chose; give the result to the stream that uses it, or release it. */
  announce(address: AnnouncedAddress): AnnouncedPort;
  /** Rejects with what `refusal` says, NO_PORTS, CAPTURE_FAILED or STORAGE_FAILED; nothing is left behind then. */
  start(request: StartRecording): Promise<ActiveRecording>;
  /** Null if a new recording would be accepted now; otherwise why not. */
  refusal(): RefusalCode | null;
  /** To be told when a call was refused for what `refusal` said; `start` counts its own. */
  countRefused(): void;
}

/** `discarded`: by a rule; nothing of the call is kept. */
export type Unwanted = 'paused' | 'discarded';

export interface ActiveRecording {
  readonly id: string;
  /** Where each stream's media goes, by the stream's `key`. Stable for the stream's life. */
  addresses(): Map<string, StreamAddress>;
  /** By key, the streams whose media is dropped by our own order, so that they are answered `inactive`, and why. */
  unwanted(): ReadonlyMap<string, Unwanted>;
  /** Applied in order of the calls. Rejects with NO_PORTS (the rest of the change is applied) or RECORDING_ENDED. */
  update(change: UpdateRecording): Promise<void>;
  /** Any signalling counts as a sign of life for the inactivity limit. */
  journalSip(record: SipRecord): void;
  /**
   * Who brings the recording, and what its door needs to go on after a restart: plain data, kept in session.json a
   * moment later. The last call before `stop` is what the finished recording tells.
   */
  setSessions(sessions: BringingSession[], door: unknown): void;
  /** Ends the recording; returns when the journal is sealed, not when the audio is rendered. Idempotent. */
  stop(reason: EndReason): Promise<void>;
}
