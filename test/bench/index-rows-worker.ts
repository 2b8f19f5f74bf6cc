// A thread that makes what the index would write of generated recordings: rows, terms and texts. Written out by hand, since the index's
// own way costs four times as much; that it comes to the same is made sure of before anything else.
import { isDeepStrictEqual } from 'node:util';
import { parentPort } from 'node:worker_threads';
import { deflateSync } from 'node:zlib';
import type { IndexedRecording } from '../../src/archive/index/row.ts';
import { deflated, inflated, rowOf } from '../../src/archive/index/row.ts';
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

interface Made {
  row: RecordingRow;
  terms: string[];
  texts: TermText[];
}

const NO_TIMELINE = deflated({ timeline: [] });
const COMPARED = 2_000;

/** A small window is set up faster, and a document is not larger for it. */
const deflate = (text: string): Uint8Array => deflateSync(text, { windowBits: 11, memLevel: 4 });

function quickly(recording: IndexedRecording): Made {
  const { document, annotations, directory } = recording;
  const { timeline: _, metadata: __, ...hit } = document;
  const { id, call, times, state, source, streams } = document;
  const [caller, callee] = document.participants;
  const [callerAor, calleeAor] = [caller!.aor!, callee!.aor!];
  const [callerAddress, calleeAddress] = [callerAor.slice(4), calleeAor.slice(4)];
  const [callerUser, calleeUser] = [callerAddress.split('@')[0]!, calleeAddress.split('@')[0]!];
  const name = callee!.name!.toLowerCase();
  const group = call.groupId!;
  const notes = annotations.notes.map(({ text }) => text.toLowerCase());
  const header = document.headers[0]!;
  const lost = streams[0]!.lost > 0 ? (100 * streams[0]!.lost) / (streams[0]!.packets + streams[0]!.lost) : 0;
  const silent = streams[1]!.packets === 0;
  const { durationMs } = times;
  const texts: TermText[] = [
    { term: `aor:${callerAor}`, text: `\n${callerAor}\n${callerUser}\n${callerAddress}\n` },
    { term: `aor:${calleeAor}`, text: `\n${calleeAor}\n${calleeUser}\n${calleeAddress}\n` },
    { term: `name:${name}`, text: `\n${name}\n` },
    { term: `group:${group}`, text: `\n${group}\n` },
    ...annotations.tags.map((tag) => ({ term: `tag:${tag}`, text: `\n${tag}\n` })),
    ...notes.map((note) => ({ term: `note:${note}`, text: `\n${note}\n` })),
  ];
  const terms = [
    `number:${callerUser.slice(-7)}`,
    `number:${calleeUser}`,
    `call:${call.sipCallId}`,
    `call:${call.communicationSessionId}`,
    `call:${call.sipSessionIds[0]}`,
    `id:${id}`,
    `group:${group}`,
    ...annotations.tags.map((tag) => `tag:${tag}`),
  ];
  if (state !== 'finished') terms.push(`state:${state}`);
  terms.push(`source:${source}`);
  for (const step of [1_800_000, 3_600_000, 7_200_000, 14_400_000])
    if (durationMs >= step) terms.push(`longer:${step}`);
  for (const step of [1_000, 10_000]) if (durationMs < step) terms.push(`shorter:${step}`);
  for (const step of [1, 3, 5, 10, 30]) if (lost >= step) terms.push(`loss:${step}`);
  if (silent) terms.push('flag:silent-side');
  terms.push(texts[0]!.term, texts[1]!.term, texts[2]!.term, ...notes.map((note) => `note:${note}`));
  terms.push(`header:${header.name.toLowerCase()}=${header.value}`);
  const row: RecordingRow = {
    place: Date.parse(times.start) * PLACES_PER_MS,
    id,
    directory,
    recorder: 'bench',
    duration_ms: durationMs,
    octets: document.files[0]!.octets,
    state,
    source,
    loss_percent: lost,
    silent_side: silent ? 1 : 0,
    held: 0,
    keep_until_ms: null,
    parties: `\n${callerAor}\n${callerUser}\n${calleeAor}\n${calleeUser}\n${name}\n${callerAddress}\n${calleeAddress}\n`,
    words: `\n${[group, ...annotations.tags, ...notes].join('\n')}\n`,
    document: deflate(JSON.stringify(hit)),
    annotations: JSON.stringify(annotations),
    details: NO_TIMELINE,
  };
  return { row, terms, texts };
}

/** The same by the index's own way. */
function properly(recording: IndexedRecording): Made {
  const { document, annotations } = recording;
  return {
    row: { ...rowOf(recording, 'bench'), place: Date.parse(document.times.start) * PLACES_PER_MS },
    terms: termsOf(document, annotations),
    texts: textsOf(document, annotations),
  };
}

function makeSure(world: GeneratedWorld): void {
  for (let n = 0; n < COMPARED; n++) {
    const recording = generatedRecording(world, n);
    const [quick, proper] = [quickly(recording), properly(recording)];
    if (!isDeepStrictEqual(plain(quick), plain(proper))) {
      throw new Error(`row ${n} is not as the index makes it:\n${JSON.stringify([quick, proper], null, 1)}`);
    }
  }
}

const plain = ({ row, terms, texts }: Made) => ({
  row: { ...row, document: inflated(row.document), details: inflated(row.details) },
  terms: [...terms].sort(),
  texts,
});

let sure = false;
parentPort?.on('message', ({ world, first, end }: RowsOrder) => {
  if (!sure) makeSure(world);
  sure = true;
  const made: MadeRows = { rows: [], terms: [], texts: [] };
  const texts = new Map<string, string>();
  for (let n = first; n < end; n++) {
    const one = quickly(generatedRecording(world, n));
    made.rows.push(COLUMNS.map((column) => one.row[column]));
    made.terms.push(one.terms);
    for (const { term, text } of one.texts) texts.set(term, text);
  }
  made.texts = [...texts].map(([term, text]) => ({ term, text }));
  parentPort?.postMessage(made);
});
