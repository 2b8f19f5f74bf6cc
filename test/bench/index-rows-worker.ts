// A thread that makes what the index would write of generated recordings: rows, terms and texts.
import { parentPort } from 'node:worker_threads';
import { rowOf } from '../../src/archive/index/row.ts';
import { PLACES_PER_MS, type RecordingRow } from '../../src/archive/index/schema.ts';
import { type TermText, termsOf, textsOf } from '../../src/archive/index/terms.ts';
import { type GeneratedWorld, generatedRecording } from './generated-recordings.ts';

export const COLUMNS = [
  'place',
  'id',
  'directory',
  'recorder',
  'duration_ms',
  'octets',
  'state',
  'source',
  'loss_percent',
  'silent_side',
  'held',
  'keep_until_ms',
  'parties',
  'words',
  'document',
  'annotations',
  'details',
] as const satisfies (keyof RecordingRow)[];

export type Cell = RecordingRow[(typeof COLUMNS)[number]];

export interface RowsOrder {
  world: GeneratedWorld;
  first: number;
  end: number;
}

export interface MadeRows {
  rows: Cell[][];
  /** Of each row. */
  terms: string[][];
  /** Each once. */
  texts: TermText[];
}

parentPort?.on('message', ({ world, first, end }: RowsOrder) => {
  const made: MadeRows = { rows: [], terms: [], texts: [] };
  const texts = new Map<string, string>();
  for (let n = first; n < end; n++) {
    const recording = generatedRecording(world, n);
    const { document, annotations } = recording;
    const row = { ...rowOf(recording, 'bench'), place: Date.parse(document.times.start) * PLACES_PER_MS };
    made.rows.push(COLUMNS.map((column) => row[column]));
    made.terms.push(termsOf(document, annotations));
    for (const { term, text } of textsOf(document, annotations)) texts.set(term, text);
  }
  made.texts = [...texts].map(([term, text]) => ({ term, text }));
  parentPort?.postMessage(made);
});
