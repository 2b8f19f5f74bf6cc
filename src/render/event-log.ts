// What a render reports beside the audio, bounded: a hostile stream must not fill memory with events.
import type { RenderEvent } from '../recording/engines.ts';

/** Of each type, in a whole job. */
export const MAX_EVENTS = 10_000;

type EventType = RenderEvent['type'];

/** Times are on the line of the arrival times; the offset in the audio is known at the end. */
export class EventLog {
  readonly #events: Record<EventType, RenderEvent[]> = { gap: [], dtmf: [], 'source-change': [] };
  readonly #dropped: Record<EventType, number> = { gap: 0, dtmf: 0, 'source-change': 0 };

  gap(streamId: string, atMs: number, durationMs: number, cause: 'loss' | 'silence' | 'interruption'): void {
    if (this.#hasRoom('gap')) this.#events.gap.push({ type: 'gap', streamId, offsetMs: atMs, durationMs, cause });
  }

  dtmf(streamId: string, atMs: number, durationMs: number, digit: string): void {
    if (this.#hasRoom('dtmf')) this.#events.dtmf.push({ type: 'dtmf', streamId, offsetMs: atMs, durationMs, digit });
  }

  sourceChange(streamId: string, atMs: number, detail: string): void {
    if (!this.#hasRoom('source-change')) return;
    this.#events['source-change'].push({ type: 'source-change', streamId, offsetMs: atMs, detail });
  }

  /**
   * All events by their offset in the audio, to the microsecond.
   * @param audioStartMs time of the first sample
   * @param leadMs from that to the arrival of its packet, for events that are known by arrival
   */
  finish(audioStartMs: number, leadMs: number): RenderEvent[] {
    const { gap, dtmf, 'source-change': sourceChange } = this.#events;
    const dtmfByStream = Map.groupBy(dtmf as Extract<RenderEvent, { type: 'dtmf' }>[], (event) => event.streamId);
    // While a key is pressed most senders send no audio: that silence is the key, not a gap.
    const gaps = gap.filter((event) => {
      if (event.type !== 'gap' || event.cause !== 'silence') return true;
      const keys = dtmfByStream.get(event.streamId);
      return !keys?.some((key) => coversMost(key, event));
    });
    return [...gaps, ...dtmf, ...sourceChange]
      .map((event) => rounded(event, audioStartMs + (event.type === 'source-change' ? leadMs : 0)))
      .sort((a, b) => a.offsetMs - b.offsetMs);
  }

  /** A warning per type of which some were left out. */
  warnings(): { code: string; message: string }[] {
    return Object.entries(this.#dropped)
      .filter(([, count]) => count > 0)
      .map(([type, count]) => ({
        code: 'too-many-events',
        message: `Only the first ${MAX_EVENTS} events of type ${type} are listed; ${count} more were left out.`,
      }));
  }

  #hasRoom(type: EventType): boolean {
    if (this.#events[type].length < MAX_EVENTS) return true;
    this.#dropped[type]++;
    return false;
  }
}

interface Span {
  offsetMs: number;
  durationMs: number;
}

function coversMost(key: Span, gap: Span): boolean {
  const from = Math.max(key.offsetMs, gap.offsetMs);
  const to = Math.min(key.offsetMs + key.durationMs, gap.offsetMs + gap.durationMs);
  return to - from >= gap.durationMs / 2;
}

function rounded(event: RenderEvent, originMs: number): RenderEvent {
  const offsetMs = microseconds(event.offsetMs - originMs);
  return 'durationMs' in event
    ? { ...event, offsetMs, durationMs: microseconds(event.durationMs) }
    : { ...event, offsetMs };
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
