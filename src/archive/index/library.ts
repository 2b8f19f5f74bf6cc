// The library over the index: questions go to the database, changes to the files and then to the database.
import { join } from 'node:path';
import { RecorderError } from '../../lib/errors.ts';
import type { CopyFormat } from '../../recording/audio-format.ts';
import type {
  Annotations,
  LibraryRecording,
  LibraryStatistics,
  OpenRecordingFile,
  PageRequest,
  RecordingLibrary,
  RecordingPage,
  RecordingQuery,
  SearchHit,
  WantedFile,
} from '../../recording/library.ts';
import { DirectoryLibrary, type DirectoryLibraryOptions } from '../directory-library.ts';
import { type ListedRecording, readRecording } from '../list.ts';
import { readPlace, writePlace } from './cursor.ts';
import type { IndexKeeper } from './keeper.ts';
import type { RecordingIndex } from './recording-index.ts';
import type { FoundRecording } from './search.ts';

export interface IndexLibraryOptions extends Omit<DirectoryLibraryOptions, 'places'> {
  index: RecordingIndex;
  keeper: IndexKeeper;
  /** <data>/recordings */
  root: string;
  /** Name of this recorder: recordings of others are found, but their files are elsewhere. */
  recorder: string;
}

export class IndexLibrary implements RecordingLibrary {
  readonly #options: IndexLibraryOptions;
  readonly #files: DirectoryLibrary;

  constructor(options: IndexLibraryOptions) {
    this.#options = options;
    const places = { find: (recordingId: string) => this.#place(recordingId), learn: () => {}, forget: () => {} };
    this.#files = new DirectoryLibrary({ ...options, places });
  }

  /** Finishes deletions that a crash interrupted. */
  prepare(): Promise<void> {
    return this.#files.prepare();
  }

  async search(query: RecordingQuery, { limit, after }: PageRequest): Promise<RecordingPage> {
    const before = after === null ? null : readPlace(after);
    const found = await this.#options.index.find(query, { limit, before });
    return {
      items: found.items.map((item) => this.#hit(item)),
      next: found.before === null ? null : writePlace(found.before),
    };
  }

  async get(recordingId: string): Promise<LibraryRecording | null> {
    const known = await this.#options.index.get(recordingId);
    if (!known) return null;
    const { document, annotations, recorder } = known;
    // Its raw metadata is with the other recorder.
    if (recorder !== this.#options.recorder) {
      return { document: { ...document, metadata: [] }, annotations, directory: null };
    }
    const directory = join(this.#options.root, known.directory);
    const whole = await readRecording(directory).catch(unlessGone);
    return whole?.id === recordingId ? { document: whole, annotations, directory } : null;
  }

  async openFile(recordingId: string, wanted: WantedFile): Promise<OpenRecordingFile | null> {
    return this.#files.openFile(recordingId, wanted);
  }

  statistics(query: RecordingQuery): Promise<LibraryStatistics> {
    return this.#options.index.statistics(query);
  }

  setTags(recordingId: string, tags: string[]): Promise<Annotations> {
    return this.#change(recordingId, () => this.#files.setTags(recordingId, tags));
  }

  addNote(recordingId: string, note: { text: string; by: string }): Promise<Annotations> {
    return this.#change(recordingId, () => this.#files.addNote(recordingId, note));
  }

  removeNote(recordingId: string, noteId: string): Promise<Annotations> {
    return this.#change(recordingId, () => this.#files.removeNote(recordingId, noteId));
  }

  setHold(recordingId: string, hold: { reason: string | null; by: string } | null): Promise<Annotations> {
    return this.#change(recordingId, () => this.#files.setHold(recordingId, hold));
  }

  delete(recordingId: string): Promise<void> {
    return this.#change(recordingId, () => this.#files.delete(recordingId));
  }

  /** Removes its journal alone. Rejects with NOT_FOUND and ON_HOLD. */
  removeJournal(recordingId: string): Promise<void> {
    return this.#change(recordingId, () => this.#files.removeJournal(recordingId));
  }

  /** Puts in a copy of the audio, made at `path`, which is gone then. Rejects with NOT_FOUND, STORAGE_FAILED and KEY_MISSING. */
  addCopy(recordingId: string, format: CopyFormat, path: string): Promise<void> {
    return this.#change(recordingId, () => this.#files.addCopy(recordingId, format, path));
  }

  /** Encrypts what is not yet. Rejects likewise, and with STORE_FAILED. */
  encrypt(recordingId: string): Promise<void> {
    return this.#change(recordingId, () => this.#files.encrypt(recordingId));
  }

  /** Tries again to remove from the store what could not be removed there when its recording was deleted. */
  emptyTrash(): Promise<void> {
    return this.#files.emptyTrash();
  }

  /** Brings the index in line with the recording's files. */
  refresh(recordingId: string): Promise<void> {
    return this.#change(recordingId, async () => {});
  }

  async #change<T>(recordingId: string, change: () => Promise<T>): Promise<T> {
    const found = await this.#options.index.get(recordingId);
    if (!found) throw new RecorderError('NOT_FOUND');
    if (found.recorder !== this.#options.recorder) {
      throw new RecorderError('STORAGE_FAILED', `Its files are with the recorder ${found.recorder}.`);
    }
    return this.#options.keeper.changing(found.document, change);
  }

  #hit({ document, annotations, directory, recorder }: FoundRecording): SearchHit {
    const here = recorder === this.#options.recorder;
    return { document, annotations, directory: here ? join(this.#options.root, directory) : null };
  }

  async #place(recordingId: string): Promise<ListedRecording | null> {
    const found = await this.#options.index.locate(recordingId);
    if (!found || found.recorder !== this.#options.recorder) return null;
    const directory = join(this.#options.root, found.directory);
    const document = await readRecording(directory).catch(() => null);
    return document?.id === recordingId ? { directory, document } : null;
  }
}

/** Deleted, or moved by hand: `sipreel verify` tells which. */
function unlessGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw new RecorderError('STORAGE_FAILED', error.message, { cause: error });
}
