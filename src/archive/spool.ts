// <data>/spool/<recording id>/: a running or unfinished recording. session.json, capture.pcapng, later audio.wav and recording.json.
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { anchorOf } from '../lib/clock-origin.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { SESSION_STATE_VERSION, type SessionState } from '../recording/session-state.ts';
import type { Disk, Replacing } from './disk/disk.ts';

const SESSION_FILE = 'session.json';
/** It holds the keys of calls that come as SRTP. */
const SESSION_REPLACING: Replacing = { durability: 'rename-only', mode: 0o600 };
const RECORDING_ID = /^[0-9a-f-]{36}$/;
/** session.json above this is not ours. */
const MAX_SESSION_OCTETS = 64 << 20;
/** A journal with its section header and no packet. */
const EMPTY_JOURNAL_OCTETS = 128;

/** Reads a running recording's state out of its journal. */
export interface JournalledSessions {
  /** Null if the journal holds nothing to make a recording of. Throws what reading it throws. */
  rebuild(recordingId: string, journalPath: string): SessionState | null;
  /** The state as it was on the disk, with what the journal knows beyond it. */
  complete(state: SessionState, rebuilt: SessionState): SessionState;
}

export class Spool {
  readonly root: string;
  readonly #quarantine: string;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #journalled: JournalledSessions | undefined;

  /** Without `journalled` a session whose session.json cannot be read is set aside. */
  constructor(spoolDirectory: string, disk: Disk, log: Log, journalled?: JournalledSessions) {
    this.#disk = disk;
    this.#journalled = journalled;
    this.root = join(spoolDirectory, 'spool');
    this.#quarantine = join(spoolDirectory, 'quarantine');
    this.#log = log;
  }

  async prepare(): Promise<void> {
    // By the disk, whose thread is up then: the first call does not wait for it.
    await this.#disk.makeDirectory(this.root);
  }

  directory(recordingId: string): string {
    if (!RECORDING_ID.test(recordingId)) throw new RecorderError('STORAGE_FAILED', 'Not a recording id.');
    return join(this.root, recordingId);
  }

  async create(recordingId: string): Promise<{ directory: string; journalPath: string; audioPath: string }> {
    const directory = this.directory(recordingId);
    try {
      await this.#disk.makeDirectory(directory);
    } catch (error) {
      throw storageFailed(error as Error);
    }
    return { directory, journalPath: join(directory, 'capture.pcapng'), audioPath: join(directory, 'audio.wav') };
  }

  /** The state is taken as it is at the call. The disk keeps the order of writes. Rejects with STORAGE_FAILED. */
  async save(state: SessionState): Promise<void> {
    const path = join(this.directory(state.recordingId), SESSION_FILE);
    const text = JSON.stringify(state);
    try {
      await this.#disk.replaceFile(path, text, SESSION_REPLACING);
    } catch (error) {
      throw storageFailed(error as Error);
    }
  }

  async remove(recordingId: string): Promise<void> {
    await this.#disk.remove(this.directory(recordingId));
  }

  /**
   * Sessions to take up, oldest first. A directory that was moved since gets its paths corrected. session.json is never synced, so
   * after a power loss it may be empty or old: the journal, which is, has what was lost.
   */
  async sessions(): Promise<SessionState[]> {
    const found: SessionState[] = [];
    for (const name of await readdir(this.root)) {
      if (!RECORDING_ID.test(name)) continue;
      const state = await this.#read(name);
      if (state) found.push(state);
    }
    return found.sort((a, b) => a.startMs - b.startMs);
  }

  async #read(recordingId: string): Promise<SessionState | null> {
    const directory = this.directory(recordingId);
    const journalPath = join(directory, 'capture.pcapng');
    const placed = (state: SessionState): SessionState => ({
      ...state,
      directory,
      journalPath,
      audioPath: join(directory, 'audio.wav'),
    });
    try {
      const text = await readFile(join(directory, SESSION_FILE), 'utf8');
      if (text.length > MAX_SESSION_OCTETS) throw new Error('session.json is too large');
      const state = JSON.parse(text) as SessionState;
      if (state.version !== SESSION_STATE_VERSION || state.recordingId !== recordingId) {
        throw new Error(`session.json has version ${state.version} of recording ${state.recordingId}`);
      }
      return placed(this.#completed(state, journalPath));
    } catch (error) {
      // Complete: it waits to be moved, and is the archive's.
      if (await isFile(join(directory, 'recording.json'))) return null;
      const rebuilt = this.#rebuilt(recordingId, journalPath);
      if (rebuilt) {
        this.#log.warn(
          { recordingId, err: error },
          'session.json cannot be read: its recording is made out of the journal',
        );
        return placed(rebuilt);
      }
      await this.#setAside(recordingId, error);
      return null;
    }
  }

  /** What this boot's processes wrote is there, synced or not. */
  #completed(state: SessionState, journalPath: string): SessionState {
    if (state.phase !== 'recording' || (state.clock && anchorOf(state.clock))) return state;
    const rebuilt = this.#rebuilt(state.recordingId, journalPath);
    return rebuilt && this.#journalled ? this.#journalled.complete(state, rebuilt) : state;
  }

  #rebuilt(recordingId: string, journalPath: string): SessionState | null {
    try {
      return this.#journalled?.rebuild(recordingId, journalPath) ?? null;
    } catch (error) {
      // What had not begun has none.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ recordingId, err: error }, 'a journal cannot be read');
      return null;
    }
  }

  /** Told once, not at every start. What holds no media goes; anything else is kept beside the spool. */
  async #setAside(recordingId: string, problem: unknown): Promise<void> {
    const directory = this.directory(recordingId);
    const journal = await stat(join(directory, 'capture.pcapng')).catch(() => null);
    if (!journal || journal.size <= EMPTY_JOURNAL_OCTETS) {
      await rm(directory, { recursive: true, force: true });
      this.#log.info({ directory }, 'a session that had not begun to record was removed from the spool');
      return;
    }
    await mkdir(this.#quarantine, { recursive: true, mode: 0o750 });
    const aside = join(this.#quarantine, recordingId);
    await rename(directory, aside);
    this.#log.error(
      { directory: aside, err: problem },
      'unreadable session set aside: `sipreel recover` renders its journal',
    );
  }
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

function storageFailed(error: Error): RecorderError {
  return new RecorderError('STORAGE_FAILED', error.message, { cause: error });
}
