// Whether a recording answers a question: the meaning of RecordingQuery, which every index has to share.
import type { RecordedParticipant, RecordedStream, RecordingDocument } from './document.ts';
import type { HitDocument, RecordingQuery, SearchHit } from './library.ts';
import { normalise, wordsOf } from './normalise.ts';
import { isSameNumber, numberOf } from './numbers.ts';
import { documentInScope } from './scope.ts';

export function matchesQuery({ document, annotations }: SearchHit, query: RecordingQuery): boolean {
  const { times, call } = document;
  const startMs = Date.parse(times.start);
  if (query.scope && !documentInScope(document, query.scope)) return false;
  if (query.fromMs !== undefined && startMs < query.fromMs) return false;
  if (query.toMs !== undefined && startMs >= query.toMs) return false;
  if (query.minDurationMs !== undefined && times.durationMs < query.minDurationMs) return false;
  if (query.maxDurationMs !== undefined && times.durationMs > query.maxDurationMs) return false;
  if (query.state !== undefined && document.state !== query.state) return false;
  if (query.source !== undefined && document.source !== query.source) return false;
  if (query.callId !== undefined && !callIds(call).some((id) => same(id, query.callId!))) return false;
  if (query.group !== undefined && (call.groupId === null || !same(call.groupId, query.group))) return false;
  if (query.tag !== undefined && !annotations.tags.some((tag) => same(tag, query.tag!))) return false;
  if (query.held !== undefined && (annotations.hold !== null) !== query.held) return false;
  if (query.silentSide !== undefined && hasSilentSide(document) !== query.silentSide) return false;
  if (query.minLossPercent !== undefined && worstLossPercent(document) < query.minLossPercent) return false;
  if (query.number !== undefined && !hasNumber(document, query.number)) return false;
  if (query.party !== undefined && !partyTexts(document).some((text) => contains(text, query.party!))) return false;
  if (query.header !== undefined && !hasHeader(document, query.header)) return false;
  return query.text === undefined || hasWords({ document, annotations }, query.text);
}

/** Lost packets per cent of those expected, of the stream where it is highest. */
export function worstLossPercent({ streams }: Pick<RecordingDocument, 'streams'>): number {
  const percent = ({ packets, lost }: RecordedStream) => (packets + lost === 0 ? 0 : (100 * lost) / (packets + lost));
  return Math.max(0, ...streams.map(percent));
}

/** Nothing was received from a stream while another one was heard. */
export function hasSilentSide({ streams }: Pick<RecordingDocument, 'streams'>): boolean {
  return streams.some((stream) => stream.packets === 0) && streams.some((stream) => stream.packets > 0);
}

function hasWords({ document, annotations }: Omit<SearchHit, 'directory'>, text: string): boolean {
  const { call } = document;
  const notes = annotations.notes.map((note) => note.text);
  const texts = [...partyTexts(document), call.groupId ?? '', ...annotations.tags, ...notes].map(normalise);
  const ids = [document.id, ...callIds(call), ...Object.values(call.vendor)].map(normalise);
  return wordsOf(text).every((word) => ids.includes(word) || texts.some((one) => one.includes(word)));
}

function hasHeader(document: HitDocument, { name, value }: { name: string; value: string }): boolean {
  return document.headers.some((header) => same(header.name, name) && same(header.value, value));
}

function hasNumber({ participants }: HitDocument, number: string): boolean {
  return participants.some(({ aor }) => aor !== null && isSameNumber(aor, number));
}

/** What a party can be found by: its address as written, its number without punctuation, its name. */
export function partyTexts({ participants }: { participants: Pick<RecordedParticipant, 'aor' | 'name'>[] }): string[] {
  return participants.flatMap(({ aor, name }) => [aor ?? '', numberOf(aor ?? '') ?? '', name ?? '']);
}

function callIds({ sipCallId, communicationSessionId, sipSessionIds }: RecordingDocument['call']): string[] {
  return [sipCallId, communicationSessionId ?? '', ...sipSessionIds];
}

const same = (a: string, b: string) => normalise(a) === normalise(b);
const contains = (text: string, part: string) => normalise(text).includes(normalise(part));
