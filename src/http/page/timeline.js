// Who took part when, as bars, and everything that happened, as a list that leads to its place in the audio.
import { el } from './dom.js';
import { duration, eventWords, inOrder, partyName } from './words.js';

/** `seek` is null without audio. */
export function timeline(recording, seek) {
  const { timeline: events, participants, times } = recording;
  return el(
    'section',
    { class: 'panel' },
    el('h2', {}, 'Timeline'),
    times.durationMs > 0 &&
      el(
        'ul',
        { class: 'presence', 'aria-label': 'Who took part when' },
        inOrder(participants).map((party) => presence(party, recording)),
      ),
    el(
      'details',
      {},
      el('summary', {}, `${events.length} events`),
      el(
        'ol',
        { class: 'events' },
        events.map((event) => {
          const at = duration(event.offsetMs);
          return el(
            'li',
            {},
            seek
              ? el(
                  'button',
                  { type: 'button', class: 'link', onclick: () => seek(event.offsetMs), title: event.time },
                  at,
                )
              : el('span', { title: event.time }, at),
            el('span', {}, eventWords(event, participants)),
          );
        }),
      ),
    ),
  );
}

function presence(party, { timeline: events, times }) {
  const bar = el('span', { class: 'bar', 'aria-hidden': 'true' });
  const spans = presentSpans(party.id, events, times.durationMs);
  for (const [startMs, endMs] of spans) {
    const piece = el('span', { class: `piece side-${(party.channel ?? 0) % 2}` });
    piece.style.left = `${(100 * startMs) / times.durationMs}%`;
    piece.style.width = `${Math.max(0.4, (100 * (endMs - startMs)) / times.durationMs)}%`;
    bar.append(piece);
  }
  const words = spans.map(([startMs, endMs]) => `${duration(startMs)}–${duration(endMs)}`).join(', ');
  return el('li', {}, el('b', {}, partyName(party)), bar, el('small', {}, words));
}

/** Whoever is not said to have joined was there from the beginning. */
function presentSpans(participantId, events, durationMs) {
  const changes = events
    .filter((event) => event.participantId === participantId && (event.type === 'joined' || event.type === 'left'))
    .sort((a, b) => a.offsetMs - b.offsetMs);
  const clamp = (ms) => Math.max(0, Math.min(durationMs, ms));
  const spans = [];
  let since = changes[0]?.type === 'joined' ? null : 0;
  for (const { type, offsetMs } of changes) {
    if (type === 'joined') since ??= clamp(offsetMs);
    else if (since !== null) {
      spans.push([since, clamp(offsetMs)]);
      since = null;
    }
  }
  if (since !== null) spans.push([since, durationMs]);
  return spans;
}
