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

/**
 * `endMs` is null for a point; `channel` is null for all.
 * @returns {{kind: keyof KINDS, startMs: number, endMs: number|null, channel: number|null, words: string}[]} by start
 */
export function marksOf({ timeline, streams, times }) {
  const channelOf = (event) => event.channel ?? streams.find(({ id }) => id === event.streamId)?.channel ?? null;
  const marks = [];
  const open = new Map();
  for (const event of [...timeline].sort((a, b) => a.offsetMs - b.offsetMs)) {
    const { type, offsetMs } = event;
    const channel = channelOf(event);
    const key = (kind) => `${kind} ${event.streamId ?? ''}`;
    if (type === 'dtmf') add('dtmf', offsetMs, null, channel, event.digit ?? '?');
    else if (ALONE[type]) add(ALONE[type], offsetMs, offsetMs + (event.durationMs ?? 0), channel);
    else if (BEGIN[type]) open.set(key(BEGIN[type]), { kind: BEGIN[type], startMs: offsetMs, channel });
    else if (END[type]) {
      const begun = open.get(key(END[type]));
      if (begun) add(begun.kind, begun.startMs, offsetMs, begun.channel);
      open.delete(key(END[type]));
    }
  }
  for (const { kind, startMs, channel } of open.values()) add(kind, startMs, times.durationMs, channel);
  return marks.sort((a, b) => a.startMs - b.startMs);

  function add(kind, startMs, endMs, channel, words = KINDS[kind]) {
    const start = Math.max(0, startMs);
    if (start > times.durationMs || (endMs !== null && endMs <= start)) return;
    marks.push({
      kind,
      startMs: start,
      endMs: endMs === null ? null : Math.min(endMs, times.durationMs),
      channel,
      words,
    });
  }
}
