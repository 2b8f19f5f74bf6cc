// Who wants to know of running recordings.
import type { SessionState } from './session-state.ts';

/** Called as things happen, inside the recorder's own work: must return at once and never throw. */
export interface RecordingNews {
  /** Also when a restarted process goes on with a recording. */
  started(state: Readonly<SessionState>): void;
  /** Parties have joined or left, or have become known. */
  partiesChanged(state: Readonly<SessionState>): void;
}
