// Checks the archive against itself: every recording's files against its recording.json, and the tree against its rules.
// Reads only. What else knows of recordings (an index) compares with what is yielded here.
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { RecordedFile, RecordingDocument } from '../recording/document.ts';
import { fingerprint } from './atomic-file.ts';
import { dayDirectories, readRecording } from './list.ts';
import { recordingDay } from './names.ts';
import { REMOVED_FILE } from './removed-files.ts';
import { readWavFacts } from './wav-facts.ts';

export type ProblemCode =
  | 'document-unreadable'
  | 'file-missing'
  | 'file-changed'
  | 'audio-wrong'
  | 'leftover'
  | 'wrong-day'
  | 'id-repeated'
  | 'not-a-recording';

export interface Problem {
  code: ProblemCode;
  /** Relative to the data directory. */
  path: string;
  /** For people. */
  message: string;
}

export interface VerifiedRecording {
  directory: string;
  /** Null if recording.json cannot be read. */
  document: RecordingDocument | null;
  problems: Problem[];
}

/** Files that may stand beside those which recording.json lists. */
const COMPANIONS = new Set(['recording.json', 'annotations.json', REMOVED_FILE]);
/** The document rounds to a microsecond. */
const DURATION_TOLERANCE_MS = 1;

/** Every entry of every day, newest first, with what is wrong about it. Rejects only if the tree itself cannot be read. */
export async function* verifyRecordings(dataDirectory: string): AsyncGenerator<VerifiedRecording> {
  const firstWithId = new Map<string, string>();
  for await (const { day, directory: dayDirectory } of dayDirectories(dataDirectory)) {
    for (const name of (await readdir(dayDirectory)).sort()) {
      const directory = join(dayDirectory, name);
      const problems: Problem[] = [];
      const add = (code: ProblemCode, path: string, message: string) =>
        void problems.push({ code, path: relative(dataDirectory, path), message });
      const document = await verifyOne(directory, add);
      if (document) {
        const rightDay = recordingDay(document).replaceAll('/', '-');
        if (rightDay !== day) add('wrong-day', directory, `It began on ${rightDay} and stands under ${day}.`);
        const other = firstWithId.get(document.id);
        if (other) add('id-repeated', directory, `The recording ${document.id} stands in ${other} too.`);
        else firstWithId.set(document.id, relative(dataDirectory, directory));
      }
      yield { directory, document, problems };
    }
  }
}

type Add = (code: ProblemCode, path: string, message: string) => void;

async function verifyOne(directory: string, add: Add): Promise<RecordingDocument | null> {
  if (!(await stat(directory)).isDirectory()) {
    add('not-a-recording', directory, 'A file stands where directories of recordings belong.');
    return null;
  }
  let document: RecordingDocument;
  try {
    document = await readRecording(directory);
  } catch (error) {
    add('document-unreadable', join(directory, 'recording.json'), `It cannot be read: ${firstLine(error)}`);
    return null;
  }
  for (const file of document.files) await verifyFile(directory, file, add);
  await verifyAudio(directory, document, add);
  const listed = new Set(document.files.map(({ name }) => name));
  for (const name of await readdir(directory)) {
    if (!listed.has(name) && !COMPANIONS.has(name)) {
      add('leftover', join(directory, name), 'It belongs to no recording: recording.json does not list it.');
    }
  }
  return document;
}

async function verifyFile(directory: string, file: RecordedFile, add: Add): Promise<void> {
  const path = join(directory, file.name);
  if (basename(file.name) !== file.name) {
    add('document-unreadable', join(directory, 'recording.json'), 'It lists a file outside of its directory.');
    return;
  }
  try {
    const { octets, sha256 } = await fingerprint(path);
    if (octets !== file.octets) add('file-changed', path, `It has ${octets} octets and should have ${file.octets}.`);
    else if (sha256 !== file.sha256)
      add('file-changed', path, 'Its content is not what was filed: the SHA-256 differs.');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    add('file-missing', path, missing ? 'It is missing.' : `It cannot be read: ${firstLine(error)}`);
  }
}

async function verifyAudio(directory: string, document: RecordingDocument, add: Add): Promise<void> {
  const file = document.files.find(({ role }) => role === 'audio');
  if (!file || !document.audio || basename(file.name) !== file.name) {
    if (document.audio || file) {
      add('audio-wrong', directory, 'recording.json describes audio without a file, or a file without describing it.');
    }
    return;
  }
  const path = join(directory, file.name);
  try {
    const { sampleRateHz, channels, durationMs } = await readWavFacts(path);
    const said = document.audio;
    if (sampleRateHz !== said.sampleRateHz || channels !== said.channels) {
      const [is, should] = [`${channels} × ${sampleRateHz} Hz`, `${said.channels} × ${said.sampleRateHz} Hz`];
      add('audio-wrong', path, `It is ${is} and should be ${should}.`);
    } else if (Math.abs(durationMs - document.times.durationMs) > DURATION_TOLERANCE_MS) {
      add('audio-wrong', path, `It lasts ${durationMs} ms and should last ${document.times.durationMs} ms.`);
    }
  } catch (error) {
    // A missing file has been told.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      add('audio-wrong', path, `Of its audio: ${firstLine(error)}.`);
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
