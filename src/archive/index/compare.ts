// The index held against the recordings' files, in both directions. Reads only.
import { join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { RecordingDocument } from '../../recording/document.ts';
import { readAnnotations } from '../annotations.ts';
import { readRecording } from '../list.ts';
import type { RecordingIndex } from './recording-index.ts';
import { withoutMetadata } from './row.ts';

export type IndexProblemCode = 'not-indexed' | 'indexed-elsewhere' | 'index-differs' | 'indexed-but-missing';

export interface IndexProblem {
  code: IndexProblemCode;
  /** Below the archive's root. */
  path: string;
  /** For people. */
  message: string;
}

const ROWS_AT_ONCE = 200;
const REMEDY = 'sipreel reindex puts it right.';

/** What the index has wrong about one recording; null if nothing. A recording that is filed at this moment may not be known yet. */
export async function compareRecording(
  index: RecordingIndex,
  { directory, document }: { directory: string; document: RecordingDocument },
  root: string,
): Promise<IndexProblem | null> {
  const path = relative(root, directory).split(sep).join('/');
  const known = await index.get(document.id);
  if (!known) return { code: 'not-indexed', path, message: `The index does not know it. ${REMEDY}` };
  if (known.directory !== path)
    return { code: 'indexed-elsewhere', path, message: `The index has it at ${known.directory}. ${REMEDY}` };
  const annotations = await readAnnotations(directory).catch(() => null);
  const same =
    isDeepStrictEqual(known.document, withoutMetadata(document)) && isDeepStrictEqual(known.annotations, annotations);
  // Annotations that cannot be read are told of by whoever reads the files.
  if (same || annotations === null) return null;
  return { code: 'index-differs', path, message: `The index has another state of it. ${REMEDY}` };
}

/** Recordings of this recorder that the index has and the tree has not. */
export async function* missingRecordings(
  index: RecordingIndex,
  recorder: string,
  root: string,
): AsyncGenerator<IndexProblem> {
  let after = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const page = await index.pageOf(recorder, after, ROWS_AT_ONCE);
    for (const { id, directory } of page) {
      const document = await readRecording(join(root, directory)).catch(() => null);
      if (document?.id === id) continue;
      const message = `The index has the recording ${id} here, and it is not. ${REMEDY}`;
      yield { code: 'indexed-but-missing', path: directory, message };
    }
    if (page.length < ROWS_AT_ONCE) return;
    after = page.at(-1)?.place ?? after;
  }
}
