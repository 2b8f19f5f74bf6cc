// What a recording session needs of the door that it belongs to.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Recordings } from './recordings.ts';
import type { RecordingSession } from './session.ts';
import type { InDialogRequest, InDialogResult } from './srf.ts';

export interface SessionEnvironment {
  recordings: Recordings;
  clock: Clock;
  log: Log;
  /** OpenSIPS loses a final answer that arrives within about a millisecond. */
  answerDelayMs: number;
  acceptPlainCalls: boolean;
  /** For the Server header of our answers. */
  product: string;
  /** Our media address as seen from that client. */
  mediaAddress: (peerHost: string) => Promise<string>;
  /** The dialog as plain data, if the SIP server gives it out. */
  dialogState: (dialogId: string) => unknown;
  requestInDialog: (request: InDialogRequest) => Promise<InDialogResult>;
  /** The dialog exists from here on; called before any request inside it can arrive. */
  onDialog: (dialogId: string, session: RecordingSession) => void;
  onEnded: (session: RecordingSession) => void;
}
