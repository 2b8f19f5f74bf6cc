// When the rules let a recording go, and when its journal. Days count from the end of the recording.
import type { HitDocument } from '../../recording/library.ts';
import { journalIsNeeded } from '../filing.ts';

export interface RetentionPolicy {
  /** For recordings whose rule says nothing; null: for ever. */
  keepDays: number | null;
  /** For capture.pcapng beside audio that holds everything; null: as long as the recording. */
  journalKeepDays: number | null;
}

const DAY_MS = 86_400_000;

/** Days that the whole recording is kept; null: for ever. */
export function keepDaysOf(document: HitDocument, policy: RetentionPolicy): number | null {
  return document.retention?.keepDays ?? policy.keepDays;
}

/** When all of it goes, Unix ms; null: never. */
export function recordingDueMs(document: HitDocument, policy: RetentionPolicy): number | null {
  const days = keepDaysOf(document, policy);
  return days === null ? null : Date.parse(document.times.end) + days * DAY_MS;
}

/** When its journal goes, Unix ms; null: never before the recording, because it is not to, is gone, or is all there is. */
export function journalDueMs(document: HitDocument, policy: RetentionPolicy): number | null {
  const { journalKeepDays } = policy;
  if (journalKeepDays === null || !document.files.some(({ role }) => role === 'journal')) return null;
  return journalIsNeeded(document) ? null : Date.parse(document.times.end) + journalKeepDays * DAY_MS;
}

/** When something of it is next to go, Unix ms; null: never. */
export function nextDueMs(document: HitDocument, policy: RetentionPolicy): number | null {
  const due = [recordingDueMs(document, policy), journalDueMs(document, policy)].filter((one) => one !== null);
  return due.length === 0 ? null : Math.min(...due);
}
