// Whose media is let into the journal of a running recording. The client's hold, our pauses and a rule's discard are
// separate: media is taken from a stream that the client sends and that nothing of ours keeps out.
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { ControlOrder, ControlTarget } from './control.ts';
import type { CaptureSession } from './engines.ts';
import { type PauseMark, pauseOf, withoutPause, withPause } from './pauses.ts';
import { attributeStreams } from './render-job.ts';
import type { AppliedRule } from './rules.ts';
import type { SessionEvent, SessionState, SessionStream } from './session-state.ts';

export interface MediaGateParts {
  state: SessionState;
  capture: CaptureSession;
  clock: Clock;
  event: (event: SessionEvent) => void;
  /** A stream is kept out now that was not before, or the other way round. */
  onChanged: () => void;
}

type Word = Pick<ControlOrder, 'by' | 'reason'>;

export function takesMedia({ receiving, paused }: SessionStream): boolean {
  return receiving && !paused;
}

/** All of what is recorded by us is kept out. */
export function isPaused({ streams }: SessionState): boolean {
  const present = streams.filter((stream) => stream.present);
  return present.length > 0 && present.every((stream) => stream.paused);
}

export class MediaGate {
  readonly #parts: MediaGateParts;

  constructor(parts: MediaGateParts) {
    this.#parts = parts;
  }

  /** Nothing of the target reaches the journal once this has resolved. Rejects with NOT_FOUND. */
  async pause({ target, ...word }: ControlOrder): Promise<void> {
    const { state, clock } = this.#parts;
    this.#mustExist(target);
    state.pauses = withPause(state.pauses ?? [], { target, ...word, sinceMs: clock.nowMs() });
    const { begun, inForce } = this.follow(word);
    await inForce;
    for (const event of begun) event.atMs = clock.nowMs();
  }

  /** A pause of something wider stays in force. Rejects with NOT_FOUND. */
  resume({ target, ...word }: ControlOrder): void {
    const { state } = this.#parts;
    this.#mustExist(target);
    state.pauses = withoutPause(state.pauses ?? [], target);
    this.follow(word);
  }

  setRule(rule: AppliedRule | null): void {
    this.#parts.state.rule = rule;
    this.follow({ by: rule === null ? 'rules' : `rule:${rule.number}`, reason: rule?.because ?? null });
  }

  /** For a stream that is about to be bound. */
  prepare(stream: SessionStream): void {
    stream.paused = this.#barriers().get(stream.streamId) ?? null;
  }

  /** The stream is bound: what was prepared is told, and what has changed meanwhile is followed. */
  admit(stream: SessionStream): void {
    if (stream.paused) this.#tell('paused', stream, stream.paused);
    this.follow({ by: 'recorder', reason: null });
  }

  /** To be called after any change of orders, parties or streams. Returns the pauses that begin. `word`: who lifts others. */
  follow(word: Word): { begun: SessionEvent[]; inForce: Promise<unknown> } {
    const { state, capture, onChanged } = this.#parts;
    const barriers = this.#barriers();
    const begun: SessionEvent[] = [];
    const told: Promise<void>[] = [];
    for (const stream of state.streams) {
      const before = stream.paused ?? null;
      const now = barriers.get(stream.streamId) ?? null;
      stream.paused = now;
      if (!stream.present || (before === null) === (now === null)) continue;
      told.push(capture.updateStream(stream.streamId, { receiving: takesMedia(stream) }));
      const event = this.#tell(now ? 'paused' : 'resumed', stream, now ?? word);
      if (now) begun.push(event);
    }
    if (told.length > 0) onChanged();
    return { begun, inForce: Promise.all(told) };
  }

  #tell(type: 'paused' | 'resumed', { streamId }: SessionStream, { by, reason }: Word): SessionEvent {
    const event: SessionEvent = { type, atMs: this.#parts.clock.nowMs(), streamId, by, reason };
    this.#parts.event(event);
    return event;
  }

  /** What keeps each stream out; absent if nothing does. */
  #barriers(): Map<string, PauseMark> {
    const { state } = this.#parts;
    const marks = [...discardMark(state), ...(state.pauses ?? [])];
    if (marks.length === 0) return new Map();
    const entries = attributeStreams(state, 'stereo').streams.map(
      (each) => [each.streamId, pauseOf(each, marks)] as const,
    );
    return new Map(entries.filter((entry): entry is [string, PauseMark] => entry[1] !== null));
  }

  #mustExist(target: ControlTarget): void {
    const { streams, call } = this.#parts.state;
    const known =
      target.scope === 'call' ||
      (target.scope === 'stream' && streams.some(({ streamId }) => streamId === target.streamId)) ||
      (target.scope === 'party' && call.participants.some((party) => party.participantId === target.participantId));
    if (!known) throw new RecorderError('NOT_FOUND', `The recording has no such ${target.scope}.`);
  }
}

function discardMark({ rule, startMs }: SessionState): PauseMark[] {
  if (rule?.do !== 'discard') return [];
  return [{ target: { scope: 'call' }, by: `rule:${rule.number}`, reason: rule.because, sinceMs: startMs }];
}
