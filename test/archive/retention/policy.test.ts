import { expect, test } from 'vitest';
import { nextDueMs } from '../../../src/archive/retention/policy.ts';
import type { RecordingDocument } from '../../../src/recording/document.ts';
import { exampleDocument } from '../example-document.ts';

const DAY_MS = 86_400_000;
const END_MS = Date.parse(exampleDocument().times.end);
const file = (role: 'audio' | 'journal') => ({ name: role, role, octets: 1, sha256: '0'.repeat(64) });
const files = [file('audio'), file('journal')];

/** Days after the end; null: never. */
function due(over: Partial<RecordingDocument>, keepDays: number | null, journalKeepDays: number | null) {
  const dueMs = nextDueMs(exampleDocument({ files, ...over }), { keepDays, journalKeepDays });
  return dueMs === null ? null : (dueMs - END_MS) / DAY_MS;
}

test.each([
  ['nothing is said: for ever', {}, null, null, null],
  ['the setting for all', {}, 30, null, 30],
  ['its rule wants it longer', { retention: { keepDays: 400 } }, 30, null, 400],
  ['its rule alone', { retention: { keepDays: 7 } }, null, null, 7],
  ['the journal goes first', {}, 30, 3, 3],
  ['a journal that is to stay longer than the recording', {}, 30, 90, 30],
  ['no journal left', { files: [file('audio')] }, 30, 3, 30],
  ['the journal is all there is', { state: 'not-renderable', files: [file('journal')] }, 30, 3, 30],
] as const)('%s', (_, over, keepDays, journalKeepDays, expected) => {
  expect(due(over as Partial<RecordingDocument>, keepDays, journalKeepDays)).toBe(expected);
});
