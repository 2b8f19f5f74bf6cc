// The parties of a running recording, as its door describes them again and again: who is there, who sends which stream
// since when. Knowledge may come late or be corrected; what was true before a change stays known.
import type { CallParticipant } from './call.ts';
import type { SessionEvent, SessionState, StreamSender } from './session-state.ts';

/** Puts the parties as they are now into the state. Returns what happened, for the timeline. */
export function changeParties(state: SessionState, now: readonly CallParticipant[], atMs: number): SessionEvent[] {
  const known = state.call.participants;
  const named = new Map(known.map((party) => [party.participantId, party]));
  const isNamed = new Set(now.map(idOf));
  const fresh = now.filter((party) => !named.has(party.participantId));
  // A guess was never there: once somebody else is named it goes, and whoever is named was there all the time.
  const guesses = fresh.length > 0 ? known.filter((party) => isGuess(party) && !isNamed.has(idOf(party))) : [];
  const events: SessionEvent[] = [];
  for (const party of now) {
    const participantId = idOf(party);
    const earlier = named.get(participantId);
    const at = { atMs, participantId };
    if (!earlier ? guesses.length > 0 : isGuess(earlier) && !isGuess(party)) events.push({ type: 'identified', ...at });
    else if (!earlier || !isPresent(state.events, participantId))
      events.push({ type: 'joined', ...at, ...stated(party) });
    else if (describe(earlier) !== describe(party)) {
      events.push({ type: 'party-changed', ...at, detail: `${describe(earlier)} is now ${describe(party)}` });
    }
  }
  for (const party of known) {
    const participantId = idOf(party);
    const leaves = !isNamed.has(participantId) && !guesses.includes(party) && isPresent(state.events, participantId);
    if (leaves) events.push({ type: 'left', atMs, participantId });
  }
  const staying = known.filter((party) => !guesses.includes(party));
  state.call.participants = inOrder(staying, now);
  return events;
}

/**
 * Notes who sends each present stream. Somebody who takes over from a party that is still in the call is a correction
 * and counts from the beginning; after that party has left it is a successor.
 */
export function changeSenders(state: SessionState, now: readonly CallParticipant[], atMs: number): SessionEvent[] {
  const events: SessionEvent[] = [];
  const present = new Set(now.map(idOf));
  const known = new Set(state.call.participants.map(idOf));
  for (const stream of state.streams) {
    const current = now.filter((party) => party.sends.includes(stream.key)).map(idOf);
    if (!stream.present || current.length === 0) continue;
    const senders = stream.senders ?? [];
    const open = senders.filter(({ untilMs }) => untilMs === null);
    const added = current.filter((id) => !open.some(({ participantId }) => participantId === id));
    const replaced = open.filter(({ participantId }) => !current.includes(participantId));
    const wrong = replaced.filter(({ participantId }) => {
      return !known.has(participantId) || (added.length > 0 && present.has(participantId));
    });
    for (const sender of replaced) if (!wrong.includes(sender)) sender.untilMs = atMs;
    const first = senders.length === 0 ? appearedMs(state, stream.streamId) : atMs;
    const fromMs = Math.min(first, ...wrong.map((sender) => sender.fromMs));
    stream.senders = [
      ...senders.filter((sender) => !wrong.includes(sender)),
      ...added.map((participantId): StreamSender => ({ participantId, fromMs, untilMs: null })),
    ];
    for (const participantId of added) events.push({ type: 'sender', atMs, streamId: stream.streamId, participantId });
  }
  return events;
}

/** When each party was there, by the timeline; those without an event were there from the start. */
export function presenceOf(
  state: Pick<SessionState, 'events' | 'startMs'>,
  participantId: string,
): { fromMs: number; untilMs: number }[] {
  const spans: { fromMs: number; untilMs: number }[] = [];
  const comings = state.events.filter(
    (event) => (event.type === 'joined' || event.type === 'left') && event.participantId === participantId,
  );
  if (comings[0]?.type !== 'joined') spans.push({ fromMs: state.startMs, untilMs: Number.POSITIVE_INFINITY });
  for (const { type, atMs } of comings) {
    if (type === 'joined') spans.push({ fromMs: atMs, untilMs: Number.POSITIVE_INFINITY });
    else spans.at(-1)!.untilMs = atMs;
  }
  return spans;
}

/** A party out of headers, or a placeholder of a client that does not know yet who it is. */
function isGuess({ provisional, aor, name }: CallParticipant): boolean {
  if (provisional) return true;
  const user = aor === null ? null : aor.replace(/^(?:sips?|tel):/i, '').replace(/[@;?].*$/, '');
  return [user, name].every((text) => text === null || PLACEHOLDER.test(text));
}

const PLACEHOLDER = /^(?:|anonymous|unknown|unavailable|restricted|private|dummy|invalid|none|null|n\/?a)$/i;

const idOf = ({ participantId }: CallParticipant) => participantId;
const describe = ({ aor, name }: CallParticipant) => [name, aor].filter((text) => text !== null).join(' ') || 'unknown';
const stated = ({ joinedMs }: CallParticipant) => (joinedMs == null ? {} : { statedMs: joinedMs });

function isPresent(events: readonly SessionEvent[], participantId: string): boolean {
  const last = events.findLast(
    (event) => (event.type === 'joined' || event.type === 'left') && event.participantId === participantId,
  );
  return last?.type !== 'left';
}

function appearedMs(state: SessionState, streamId: string): number {
  const added = state.events.find((event) => event.type === 'stream-added' && event.streamId === streamId);
  return added?.atMs ?? state.startMs;
}

/** Those who left keep their place behind whom they stood behind: the order says who called. */
function inOrder(known: readonly CallParticipant[], now: readonly CallParticipant[]): CallParticipant[] {
  const ordered = [...now];
  known.forEach((party, index) => {
    if (now.some(({ participantId }) => participantId === idOf(party))) return;
    const before = known[index - 1];
    const at = before ? ordered.findIndex(({ participantId }) => participantId === idOf(before)) + 1 : 0;
    ordered.splice(at, 0, { ...party, sends: [] });
  });
  return ordered;
}
