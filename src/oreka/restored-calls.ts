// Calls of a previous process whose recordings go on. Their texts are gone with it; what ends them is still heard.
//
//   running ──BYE of one side──▶ leaving ──BYE of the other, SETTLE_MS; or byeGraceMs──▶ over
//      ├──────INVITE of a side that it has: recording is started again (calls.ts), close─▶ over
//      └──────the recorder ends it─────────────────────────────────────────────────────▶ over
import type { Clock } from '../lib/clock.ts';
import { Timers } from '../lib/timers.ts';
import type { SipRecord } from '../recording/media.ts';
import type { ActiveRecording } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { SETTLE_MS } from './call.ts';
import { sideOf } from './call-stream.ts';
import type { OrekaBye, OrekaMessage, Side } from './datagram.ts';

/** `door` in session.json. */
export interface OrekaDoorState {
  kind: 'oreka';
  callId: string;
}

interface Restored {
  recording: ActiveRecording;
  left: Set<Side>;
}

export class RestoredCalls {
  readonly #byCallId = new Map<string, Restored>();
  readonly #timers: Timers;
  readonly #byeGraceMs: number;

  constructor(clock: Clock, byeGraceMs: number) {
    this.#timers = new Timers(clock);
    this.#byeGraceMs = byeGraceMs;
  }

  get size(): number {
    return this.#byCallId.size;
  }

  /** Returns what is to be called when the recorder ends the recording. */
  add(callId: string, recording: ActiveRecording): () => void {
    this.#byCallId.set(callId, { recording, left: new Set() });
    return () => this.#forget(callId);
  }

  /** Whether the stream that the text is about is one of a restored call, as far as the text says. */
  hasSide({ callId, side }: OrekaMessage): boolean {
    const call = this.#byCallId.get(callId);
    return call !== undefined && (side === null || sidesOf(call).has(side));
  }

  /** False if there is no such call. */
  bye({ callId, side }: OrekaBye): boolean {
    const call = this.#byCallId.get(callId);
    if (!call) return false;
    const running = sidesOf(call);
    for (const left of side === null ? running : [side]) call.left.add(left);
    const all = [...running].every((each) => call.left.has(each));
    // The last packets may have been overtaken.
    this.#timers.set(callId, all ? SETTLE_MS : this.#byeGraceMs, () => void this.end(callId, 'ended'));
    return true;
  }

  journal(callId: string, record: SipRecord): void {
    this.#byCallId.get(callId)?.recording.journalSip(record);
  }

  /** The id of its recording, which is being closed; null if there is no such call. */
  end(callId: string, reason: EndReason): { recordingId: string; closed: Promise<void> } | null {
    const call = this.#byCallId.get(callId);
    if (!call) return null;
    this.#forget(callId);
    // The recorder logs what goes wrong.
    return { recordingId: call.recording.id, closed: call.recording.stop(reason).catch(() => {}) };
  }

  async close(reason: EndReason): Promise<void> {
    await Promise.all([...this.#byCallId.keys()].map((callId) => this.end(callId, reason)?.closed));
  }

  #forget(callId: string): void {
    this.#timers.clear(callId);
    this.#byCallId.delete(callId);
  }
}

function sidesOf({ recording }: Restored): Set<Side> {
  return new Set([...recording.addresses().keys()].map(sideOf));
}
