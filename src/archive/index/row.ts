// A recording as a row of the index, and back.
import { deflateSync, inflateSync } from 'node:zlib';
import type { RecordingDocument } from '../../recording/document.ts';
import type { Annotations, HitDocument } from '../../recording/library.ts';
import { hasSilentSide, partyTexts, worstLossPercent } from '../../recording/matches-query.ts';
import { addressOf } from '../../recording/scope.ts';
import type { RecordingRow } from './schema.ts';
import { lines } from './terms.ts';

/** A finished recording and where it lies. */
export interface IndexedRecording {
  document: RecordingDocument;
  annotations: Annotations;
  /** Below the archive's root, `/` between its parts. */
  directory: string;
  keepUntilMs: number | null;
}

/** What the index has of a recording: all but the raw metadata. */
export interface KnownRecording {
  document: Omit<RecordingDocument, 'metadata'>;
  annotations: Annotations;
  directory: string;
  recorder: string;
}

/** Larger than any recording.json that is written; what a foreign hand put into the database does not fill the memory. */
const LARGEST_DOCUMENT = 64 * 1024 * 1024;

export function rowOf(recording: IndexedRecording, recorder: string): Omit<RecordingRow, 'place'> {
  const { document, annotations, directory, keepUntilMs } = recording;
  const { timeline, ...hit } = withoutMetadata(document);
  return {
    id: document.id,
    directory,
    recorder,
    duration_ms: Math.round(document.times.durationMs),
    octets: document.files.reduce((sum, file) => sum + file.octets, 0),
    state: document.state,
    source: document.source,
    loss_percent: worstLossPercent(document),
    silent_side: hasSilentSide(document) ? 1 : 0,
    held: annotations.hold ? 1 : 0,
    keep_until_ms: keepUntilMs,
    parties: partiesText(document),
    words: wordsText(document, annotations),
    document: deflated(hit),
    details: deflated({ timeline }),
    annotations: JSON.stringify(annotations),
  };
}

/** What searches and lists need of a row. */
export function recordingOf(row: Pick<RecordingRow, 'document' | 'annotations'>): {
  document: HitDocument;
  annotations: Annotations;
} {
  // Not checked again: rowOf wrote them, from what was checked when it was made.
  return { document: inflated<HitDocument>(row.document), annotations: JSON.parse(row.annotations) };
}

/** All that is in a row. */
export function knownOf(
  row: Pick<RecordingRow, 'document' | 'details' | 'annotations' | 'directory' | 'recorder'>,
): KnownRecording {
  const { directory, recorder } = row;
  const { document, annotations } = recordingOf(row);
  const details = inflated<Pick<RecordingDocument, 'timeline'>>(row.details);
  return { document: { ...document, ...details }, annotations, directory, recorder };
}

/** What a phone system sends may be megabytes: it stays in recording.json. */
export function withoutMetadata({ metadata: _, ...document }: RecordingDocument): Omit<RecordingDocument, 'metadata'> {
  return document;
}

/** With the usual 32 KiB window each call takes 268 KB outside the heap, over which V8 collects garbage without end. */
const SMALL_WINDOW = { windowBits: 12, memLevel: 5 };

export const deflated = (value: object): Uint8Array => deflateSync(JSON.stringify(value), SMALL_WINDOW);

export function inflated<T>(octets: Uint8Array): T {
  return JSON.parse(inflateSync(octets, { maxOutputLength: LARGEST_DOCUMENT }).toString('utf8')) as T;
}

/** With each address in the two forms that a scope's patterns are compared with. */
function partiesText(document: RecordingDocument): string {
  const addresses = document.participants.flatMap(({ aor }) => Object.values(addressOf(aor ?? '')));
  return lines([...partyTexts(document), ...addresses]);
}

/** Identifiers are found as a whole, by their terms. */
function wordsText(document: RecordingDocument, annotations: Annotations): string {
  return lines([document.call.groupId, ...annotations.tags, ...annotations.notes.map((note) => note.text)]);
}
