// What of the timeline is drawn into the waveform: gaps, holds, pauses, interruptions and keys pressed.

const BEGIN = { hold: 'hold', paused: 'pause', interrupted: 'lost' };
const END = { resume: 'hold', resumed: 'pause', recovered: 'lost' };
const ALONE = { gap: 'gap', restart: 'lost' };
export const KINDS = {
  gap: 'Nothing arrived',
  hold: 'On hold',
  pause: 'Paused',
  lost: 'Not recorded: interruption',
  dtmf: 'Key pressed',
};

/** Keys that follow each other so fast are one number that somebody dials: one mark, which can be read. */
const DIALLING_MS = 1_500;
/** Media stops a little before the signalling says so, and comes a little after. */
const TOLERANCE_MS = 500;

/**
 * `endMs` is null for a point; `channel` is null for all.
 * @returns {{kind: keyof KINDS, startMs: number, endMs: number|null, channel: number|null, words: string}[]} by start
 */
export function marksOf({ timeline, streams, times }) {
  const channelOf = (event) => event.channel ?? streams.find(({ id }) => id === event.streamId)?.channel ?? null;
  const marks = [];
  const open = new Map();
  /** By channel: the mark of the keys pressed last, and when. */
  const dialled = new Map();
  for (const event of [...timeline].sort((a, b) => a.offsetMs - b.offsetMs)) {
    const { type, offsetMs } = event;
    const channel = channelOf(event);
    const key = (kind) => `${kind} ${event.streamId ?? ''}`;
    if (type === 'dtmf') press(offsetMs, channel, event.digit ?? '?');
    else if (ALONE[type]) add(ALONE[type], offsetMs, offsetMs + (event.durationMs ?? 0), channel);
    else if (BEGIN[type]) open.set(key(BEGIN[type]), { kind: BEGIN[type], startMs: offsetMs, channel });
    else if (END[type]) {
      const begun = open.get(key(END[type]));
      if (begun) add(begun.kind, begun.startMs, offsetMs, begun.channel);
      open.delete(key(END[type]));
    }
  }
  for (const { kind, startMs, channel } of open.values()) add(kind, startMs, times.durationMs, channel);
  return marks.filter((mark) => mark.kind !== 'gap' || !isMeant(mark)).sort((a, b) => a.startMs - b.startMs);

  function press(offsetMs, channel, digit) {
    const before = dialled.get(channel);
    if (before && offsetMs - before.lastMs <= DIALLING_MS) {
      before.mark.words += digit;
      before.lastMs = offsetMs;
      return;
    }
    const mark = add('dtmf', offsetMs, null, channel, digit);
    if (mark) dialled.set(channel, { mark, lastMs: offsetMs });
  }

  /** Whoever holds the call, or has it paused, expects that nothing arrives. */
  function isMeant(gap) {
    return marks.some(
      ({ kind, startMs, endMs, channel }) =>
        (kind === 'hold' || kind === 'pause') &&
        (channel === null || channel === gap.channel) &&
        startMs <= gap.startMs + TOLERANCE_MS &&
        endMs >= gap.endMs - TOLERANCE_MS,
    );
  }

  function add(kind, startMs, endMs, channel, words = KINDS[kind]) {
    const start = Math.max(0, startMs);
    if (start > times.durationMs || (endMs !== null && endMs <= start)) return null;
    const end = endMs === null ? null : Math.min(endMs, times.durationMs);
    const mark = { kind, startMs: start, endMs: end, channel, words };
    marks.push(mark);
    return mark;
  }
}
