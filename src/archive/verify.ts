// Checks the archive against itself: every recording's files against its recording.json, and the tree against its rules.
// Reads only. What else knows of recordings (an index) compares with what is yielded here.
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { isRecorderError } from '../lib/errors.ts';
import type { RecordedFile, RecordingDocument } from '../recording/document.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import { ENCRYPTED } from './encryption/encryption.ts';
import { KEY_FILE } from './encryption/recording-key.ts';
import { FORMATS_FILE } from './formats/copies-file.ts';
import { dayDirectories, readRecording } from './list.ts';
import { recordingDay } from './names.ts';
import { REMOTE_FILE } from './remote/remote-file.ts';
import { REMOVED_FILE } from './removed-files.ts';
import { StoredFiles } from './stored-files.ts';
import { WAV_HEAD_OCTETS, wavFacts } from './wav-facts.ts';

export type ProblemCode =
  | 'document-unreadable'
  | 'file-missing'
  | 'file-changed'
  | 'key-missing'
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
const COMPANIONS = new Set(['recording.json', 'annotations.json', REMOVED_FILE, FORMATS_FILE, KEY_FILE, REMOTE_FILE]);
/** The document rounds to a microsecond. */
const DURATION_TOLERANCE_MS = 1;

/** Every entry of every day, newest first, with what is wrong about it. Rejects only if the tree itself cannot be read. */
export async function* verifyRecordings(
  dataDirectory: string,
  files: StoredFiles = new StoredFiles(),
): AsyncGenerator<VerifiedRecording> {
  const firstWithId = new Map<string, string>();
  for await (const { day, directory: dayDirectory } of dayDirectories(dataDirectory)) {
    for (const name of (await readdir(dayDirectory)).sort()) {
      const directory = join(dayDirectory, name);
      const problems: Problem[] = [];
      const add = (code: ProblemCode, path: string, message: string) =>
        void problems.push({ code, path: relative(dataDirectory, path), message });
      const document = await verifyOne(directory, files, add);
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

async function verifyOne(directory: string, files: StoredFiles, add: Add): Promise<RecordingDocument | null> {
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
  for (const file of document.files) await verifyFile(directory, document, file, files, add);
  await verifyAudio(directory, document, files, add);
  const listed = new Set(document.files.flatMap(({ name }) => [name, `${name}${ENCRYPTED}`]));
  for (const name of await readdir(directory)) {
    if (!listed.has(name) && !COMPANIONS.has(name)) {
      add('leftover', join(directory, name), 'It belongs to no recording: recording.json does not list it.');
    }
  }
  return document;
}

async function verifyFile(
  directory: string,
  document: RecordingDocument,
  file: RecordedFile,
  files: StoredFiles,
  add: Add,
): Promise<void> {
  const path = join(directory, file.name);
  if (basename(file.name) !== file.name) {
    add('document-unreadable', join(directory, 'recording.json'), 'It lists a file outside of its directory.');
    return;
  }
  try {
    const found = await files.look(directory, file.name);
    if (!found) return add('file-missing', path, 'It is missing.');
    const open = await files.open(directory, document.id, file);
    try {
      if ((await sha256Of(open)) !== file.sha256)
        add('file-changed', path, 'Its content is not what was filed: the SHA-256 differs.');
    } finally {
      await open.close();
    }
  } catch (error) {
    add(isRecorderError(error, 'KEY_MISSING') ? 'key-missing' : 'file-changed', path, firstLine(error));
  }
}

async function sha256Of({ file, read }: OpenRecordingFile): Promise<string> {
  const hash = createHash('sha256');
  if (file.octets > 0) for await (const part of read(0, file.octets - 1)) hash.update(part as Buffer);
  return hash.digest('hex');
}

async function verifyAudio(
  directory: string,
  document: RecordingDocument,
  files: StoredFiles,
  add: Add,
): Promise<void> {
  const file = document.files.find(({ role }) => role === 'audio');
  if (!file || !document.audio || basename(file.name) !== file.name) {
    if (document.audio || file) {
      add('audio-wrong', directory, 'recording.json describes audio without a file, or a file without describing it.');
    }
    return;
  }
  const path = join(directory, file.name);
  try {
    const { sampleRateHz, channels, durationMs } = await wavFactsOf(directory, document.id, file, files);
    const said = document.audio;
    if (sampleRateHz !== said.sampleRateHz || channels !== said.channels) {
      const [is, should] = [`${channels} × ${sampleRateHz} Hz`, `${said.channels} × ${said.sampleRateHz} Hz`];
      add('audio-wrong', path, `It is ${is} and should be ${should}.`);
    } else if (Math.abs(durationMs - document.times.durationMs) > DURATION_TOLERANCE_MS) {
      add('audio-wrong', path, `It lasts ${durationMs} ms and should last ${document.times.durationMs} ms.`);
    }
  } catch (error) {
    // What cannot be opened has been told.
    if (!isRecorderError(error)) add('audio-wrong', path, `Of its audio: ${firstLine(error)}.`);
  }
}

async function wavFactsOf(directory: string, recordingId: string, file: RecordedFile, files: StoredFiles) {
  const open = await files.open(directory, recordingId, file);
  try {
    const head =
      file.octets === 0 ? Buffer.alloc(0) : await buffer(open.read(0, Math.min(WAV_HEAD_OCTETS, file.octets) - 1));
    return wavFacts(head, file.octets);
  } finally {
    await open.close();
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
