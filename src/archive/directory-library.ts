// The library over the tree of directories alone. Every search reads recording.json files from the newest on until its page
// is full, so a rare match in a large archive is slow; results are exact. An index takes its place where that is too slow.
import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { audioName, type CopyFormat } from '../recording/audio-format.ts';
import type { RecordedFile } from '../recording/document.ts';
import {
  type Annotations,
  findFile,
  type LibraryRecording,
  type LibraryStatistics,
  type OpenRecordingFile,
  type PageRequest,
  type RecordingLibrary,
  type RecordingPage,
  type RecordingQuery,
  type WantedFile,
} from '../recording/library.ts';
import { matchesQuery } from '../recording/matches-query.ts';
import { readAnnotations, unreadable, writeAnnotations } from './annotations.ts';
import { fingerprint, syncDirectory } from './atomic-file.ts';
import { newestFirst, positionOf, readCursor, writeCursor } from './cursor.ts';
import { noteCopy } from './formats/copies-file.ts';
import { type ListRange, listRecordings } from './list.ts';
import { type RecordingFinder, RecordingPlaces } from './recording-places.ts';
import { REMOTE_FILE } from './remote/remote-file.ts';
import { noteRemoved } from './removed-files.ts';
import { SerialWork } from './serial-work.ts';
import { StoredFiles } from './stored-files.ts';

export interface DirectoryLibraryOptions {
  dataDirectory: string;
  clock: Clock;
  log: Log;
  /** Default: a walk over the directories. */
  places?: RecordingFinder;
  /** Default: files on this disk, not encrypted. */
  files?: StoredFiles;
}

export class DirectoryLibrary implements RecordingLibrary {
  readonly #options: DirectoryLibraryOptions;
  readonly #trash: string;
  readonly #places: RecordingFinder;
  readonly #files: StoredFiles;
  readonly #changes = new SerialWork();

  constructor(options: DirectoryLibraryOptions) {
    this.#options = options;
    this.#trash = join(options.dataDirectory, 'trash');
    this.#places = options.places ?? new RecordingPlaces(options.dataDirectory);
    this.#files = options.files ?? new StoredFiles();
  }

  /** Finishes deletions that a crash interrupted. */
  async prepare(): Promise<void> {
    await mkdir(this.#trash, { recursive: true, mode: 0o750 });
    for (const name of await readdir(this.#trash)) {
      const grave = join(this.#trash, name);
      // A store may keep us waiting: `emptyTrash` sees to those.
      const isRemote = await access(join(grave, REMOTE_FILE)).then(
        () => true,
        () => false,
      );
      if (!isRemote) await rm(grave, { recursive: true, force: true });
    }
  }

  /** Tries again to remove from the store what could not be removed there when its recording was deleted. */
  async emptyTrash(): Promise<void> {
    for (const name of await readdir(this.#trash)) await this.#bury(join(this.#trash, name), name.split('_')[0]!);
  }

  async search(query: RecordingQuery, page: PageRequest): Promise<RecordingPage> {
    const after = page.after === null ? null : readCursor(page.after);
    const items: LibraryRecording[] = [];
    for await (const recording of this.#matching(query, after?.start)) {
      if (after && newestFirst(positionOf(recording.document), after) <= 0) continue;
      // One more than asked for has been found: there is another page.
      if (items.length === page.limit) return { items, next: writeCursor(positionOf(items.at(-1)!.document)) };
      items.push(recording);
    }
    return { items, next: null };
  }

  async get(recordingId: string): Promise<LibraryRecording | null> {
    const found = await this.#places.find(recordingId);
    if (!found) return null;
    return { ...found, annotations: await this.#shown(found.directory) };
  }

  async openFile(recordingId: string, wanted: WantedFile): Promise<OpenRecordingFile | null> {
    const found = await this.#places.find(recordingId);
    const file = found && findFile(found.document, wanted);
    return found && file ? this.#files.open(found.directory, recordingId, file) : null;
  }

  async statistics(query: RecordingQuery): Promise<LibraryStatistics> {
    const sums: LibraryStatistics = {
      recordings: 0,
      durationMs: 0,
      octets: 0,
      byState: { finished: 0, empty: 0, 'not-renderable': 0, failed: 0 },
      bySource: { siprec: 0, oreka: 0, import: 0 },
    };
    for await (const { document } of this.#matching(query)) {
      sums.recordings++;
      sums.durationMs += document.times.durationMs;
      sums.octets += document.files.reduce((octets, file) => octets + file.octets, 0);
      sums.byState[document.state]++;
      sums.bySource[document.source]++;
    }
    return sums;
  }

  setTags(recordingId: string, tags: string[]): Promise<Annotations> {
    return this.#annotate(recordingId, (before) => ({ ...before, tags: [...new Set(tags)].sort() }));
  }

  addNote(recordingId: string, { text, by }: { text: string; by: string }): Promise<Annotations> {
    const note = { noteId: randomUUID(), text, by, atMs: this.#options.clock.wallMs() };
    return this.#annotate(recordingId, (before) => ({ ...before, notes: [...before.notes, note] }));
  }

  removeNote(recordingId: string, noteId: string): Promise<Annotations> {
    return this.#annotate(recordingId, (before) => {
      const notes = before.notes.filter((note) => note.noteId !== noteId);
      if (notes.length === before.notes.length) throw new RecorderError('NOT_FOUND', 'It has no such note.');
      return { ...before, notes };
    });
  }

  setHold(recordingId: string, hold: { reason: string | null; by: string } | null): Promise<Annotations> {
    const sinceMs = this.#options.clock.wallMs();
    return this.#annotate(recordingId, (before) => ({ ...before, hold: hold && { ...hold, sinceMs } }));
  }

  delete(recordingId: string): Promise<void> {
    return this.#changes.run(recordingId, async () => {
      const found = await this.#places.find(recordingId);
      if (!found) throw new RecorderError('NOT_FOUND');
      if ((await this.#annotations(found.directory)).hold) throw new RecorderError('ON_HOLD');
      // One rename takes it out of the tree; a crash from here on is finished by the next start.
      const grave = join(this.#trash, `${recordingId}_${randomUUID()}`);
      await storage(async () => {
        await mkdir(this.#trash, { recursive: true, mode: 0o750 });
        await rename(found.directory, grave);
        await syncDirectory(dirname(found.directory));
        await syncDirectory(this.#trash);
      });
      this.#places.forget(recordingId);
      await this.#bury(grave, recordingId);
    });
  }

  /** Removes its journal alone. Rejects with NOT_FOUND and ON_HOLD; nothing happens if it has none. */
  removeJournal(recordingId: string): Promise<void> {
    return this.#changes.run(recordingId, async () => {
      const found = await this.#places.find(recordingId);
      if (!found) throw new RecorderError('NOT_FOUND');
      if ((await this.#annotations(found.directory)).hold) throw new RecorderError('ON_HOLD');
      const journal = found.document.files.find(({ role }) => role === 'journal');
      if (!journal) return;
      await storage(async () => {
        // In this order: cut in between, the file is missed for a while, and the next attempt notes that it is gone.
        await this.#files.remove(found.directory, journal);
        await noteRemoved(found.directory, journal, this.#options.clock.wallMs());
      });
    });
  }

  /** Puts in a copy of the audio, made at `path`, which is gone then. Rejects with NOT_FOUND. */
  addCopy(recordingId: string, format: CopyFormat, path: string): Promise<void> {
    return this.#changes.run(recordingId, async () => {
      const found = await this.#places.find(recordingId);
      if (!found) throw new RecorderError('NOT_FOUND');
      await storage(async () => {
        const file: RecordedFile = { name: audioName(format), role: 'audio', ...(await fingerprint(path)) };
        await this.#files.add(found.directory, recordingId, file, path);
        await noteCopy(found.directory, file);
      });
    });
  }

  /** Encrypts what is not yet; does nothing without a master key. Rejects with NOT_FOUND. */
  encrypt(recordingId: string): Promise<void> {
    return this.#changes.run(recordingId, async () => {
      const found = await this.#places.find(recordingId);
      if (!found) throw new RecorderError('NOT_FOUND');
      await storage(() => this.#files.encrypt(found.directory, recordingId, found.document.files));
    });
  }

  /** The recording is gone already, whatever a store says: what is left there is removed later. */
  async #bury(grave: string, recordingId: string): Promise<void> {
    try {
      await this.#files.removeAll(grave, recordingId);
    } catch (error) {
      const err = (error as Error).message;
      this.#options.log.warn(
        { recordingId, err },
        'copies of a deleted recording are still in the store: will be tried again',
      );
    }
  }

  async *#matching(query: RecordingQuery, notAfter?: string): AsyncGenerator<LibraryRecording> {
    const { dataDirectory, log } = this.#options;
    const skipped = (directory: string, err: unknown) => log.warn({ directory, err }, 'recording cannot be read');
    for await (const { directory, document } of listRecordings(dataDirectory, skipped, daysOf(query, notAfter))) {
      this.#places.learn(document.id, directory);
      const recording = { document, directory, annotations: await this.#shown(directory) };
      if (matchesQuery(recording, query)) yield recording;
    }
  }

  #annotate(recordingId: string, change: (before: Annotations) => Annotations): Promise<Annotations> {
    return this.#changes.run(recordingId, async () => {
      const found = await this.#places.find(recordingId);
      if (!found) throw new RecorderError('NOT_FOUND');
      const after = change(await this.#annotations(found.directory));
      await storage(() => writeAnnotations(found.directory, after));
      return after;
    });
  }

  /** What cannot be read may hold a hold: it is shown as one, and changes nothing for the other recordings. */
  async #shown(directory: string): Promise<Annotations> {
    return this.#annotations(directory).catch((err: Error) => {
      this.#options.log.error({ directory, err }, 'annotations.json cannot be read: look at it by hand');
      return unreadable(err, this.#options.clock.wallMs());
    });
  }

  #annotations(directory: string): Promise<Annotations> {
    return storage(() => readAnnotations(directory));
  }
}

/** Times outside four-digit years leave every day in: the query itself is still applied. */
function daysOf({ fromMs, toMs }: RecordingQuery, notAfter?: string): ListRange {
  const day = (ms: number) =>
    ms >= 0 && ms < 253_402_300_800_000 ? new Date(ms).toISOString().slice(0, 10) : undefined;
  const firstDay = fromMs === undefined ? undefined : day(fromMs);
  const days = [notAfter?.slice(0, 10), toMs === undefined ? undefined : day(toMs)].filter((one) => one !== undefined);
  const lastDay = days.sort()[0];
  return { ...(firstDay !== undefined && { firstDay }), ...(lastDay !== undefined && { lastDay }) };
}

async function storage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RecorderError) throw error;
    throw new RecorderError('STORAGE_FAILED', (error as Error).message, { cause: error });
  }
}
