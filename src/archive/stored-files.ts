// The files of filed recordings, wherever they are and in whatever form: as they were recorded, encrypted, or in a store. Everybody who
// reads one reads it through here, and gets what was recorded.
import { createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RecorderError } from '../lib/errors.ts';
import type { RecordedFile } from '../recording/document.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import { syncDirectory } from './atomic-file.ts';
import { type ByteSource, openLocalFile } from './byte-source.ts';
import { decrypted } from './encryption/encrypted-file.ts';
import { ENCRYPTED, type FileEncryption } from './encryption/encryption.ts';
import { MasterKeys } from './encryption/master-keys.ts';
import { readRecordingKey } from './encryption/recording-key.ts';
import { REMOTE_FILE, readRemote } from './remote/remote-file.ts';

/** Copies of files in a store. */
export interface RemoteCopies {
  /** Null if the store has no copy that was verified. `storedName` is the name of the file as stored. */
  open(directory: string, storedName: string): Promise<ByteSource | null>;
  /** Removes the copy if there is one. Rejects if the store does not answer. */
  remove(directory: string, storedName: string): Promise<void>;
  /** Removes all copies of a recording that is being deleted; its remote.json is in `directory`. Rejects likewise. */
  removeAll(directory: string, recordingId: string): Promise<void>;
}

export interface StoredFilesOptions {
  /** Default: none. */
  masterKeys?: MasterKeys;
  /** Default: no store. */
  remote?: RemoteCopies | null;
  /** For what is added. Default: it is not encrypted. */
  encryption?: FileEncryption | undefined;
}

interface Found {
  source: ByteSource;
  isEncrypted: boolean;
  isRemote: boolean;
}

export class StoredFiles {
  readonly #masterKeys: MasterKeys;
  readonly #remote: RemoteCopies | null;
  readonly #encryption: FileEncryption | null;

  constructor(options: StoredFilesOptions = {}) {
    this.#masterKeys = options.masterKeys ?? new MasterKeys({ keys: null, file: null });
    this.#remote = options.remote ?? null;
    this.#encryption = options.encryption ?? null;
  }

  /**
   * Rejects with STORAGE_FAILED if it is missing or its size is not the one that recording.json says, with KEY_MISSING if no master
   * key opens it. Reading fails with STORAGE_FAILED where an encrypted file was changed.
   */
  async open(directory: string, recordingId: string, file: RecordedFile): Promise<OpenRecordingFile> {
    const found = await this.#find(directory, file.name);
    if (!found) throw new RecorderError('STORAGE_FAILED', `${join(directory, file.name)} is missing.`);
    const source = found.isEncrypted ? await this.#decrypted(found.source, directory, recordingId, file) : found.source;
    if (source.octets !== file.octets) {
      await source.close();
      const path = join(directory, file.name);
      const is = `${path} has ${source.octets} octets where recording.json says ${file.octets}.`;
      throw new RecorderError('STORAGE_FAILED', is);
    }
    return { file, read: (first, last) => source.read(first, last), close: () => source.close() };
  }

  /** Where and how it is stored; null if it is nowhere. */
  async look(directory: string, name: string): Promise<{ isEncrypted: boolean; isRemote: boolean } | null> {
    const found = await this.#find(directory, name);
    await found?.source.close();
    return found && { isEncrypted: found.isEncrypted, isRemote: found.isRemote };
  }

  /** A file that was made at `path`, on the same disk; it is gone from there then. Rejects with the system's errors and KEY_MISSING. */
  async add(directory: string, recordingId: string, file: RecordedFile, path: string): Promise<void> {
    if (this.#encryption) {
      await this.#encryption.encrypt(path, directory, recordingId, file);
      await rm(path);
    } else {
      await rename(path, join(directory, file.name));
      await syncDirectory(directory);
    }
  }

  /**
   * Files that are stored as they were recorded, here or in a store, are here and encrypted then. What a store has of them stays
   * there for now. Does nothing without a master key. Rejects as `open` and `add`.
   */
  async encrypt(directory: string, recordingId: string, files: readonly RecordedFile[]): Promise<void> {
    if (!this.#encryption) return;
    for (const file of files) {
      const found = await this.look(directory, file.name);
      if (!found || found.isEncrypted) continue;
      const plain = join(directory, file.name);
      if (found.isRemote) await this.#fetch(directory, recordingId, file, plain);
      await this.#encryption.encrypt(plain, directory, recordingId, file);
      await rm(plain);
      await syncDirectory(directory);
    }
  }

  /** With its copy in the store. Whoever has it open reads on. */
  async remove(directory: string, { name }: RecordedFile): Promise<void> {
    for (const stored of storedNames(name)) {
      await this.#remote?.remove(directory, stored);
      await rm(join(directory, stored), { force: true });
    }
  }

  /** Everything of a recording that is being deleted, from where it was put aside. Rejects if copies are left in a store. */
  async removeAll(aside: string, recordingId: string): Promise<void> {
    for (const name of await readdir(aside)) {
      if (name !== REMOTE_FILE) await rm(join(aside, name), { recursive: true, force: true });
    }
    if (this.#remote) await this.#remote.removeAll(aside, recordingId);
    else if (Object.keys(await readRemote(aside)).length > 0) {
      throw new RecorderError('STORE_FAILED', `${aside} has copies in a store, and none is configured.`);
    }
    await rm(aside, { recursive: true, force: true });
  }

  async #fetch(directory: string, recordingId: string, file: RecordedFile, to: string): Promise<void> {
    const open = await this.open(directory, recordingId, file);
    try {
      const content = file.octets > 0 ? open.read(0, file.octets - 1) : Readable.from([]);
      await pipeline(content, createWriteStream(`${to}.part`, { mode: 0o640 }));
    } finally {
      await open.close();
    }
    await rename(`${to}.part`, to);
  }

  async #find(directory: string, name: string): Promise<Found | null> {
    for (const stored of storedNames(name)) {
      const isEncrypted = stored !== name;
      const source = await openLocalFile(join(directory, stored)).catch(unlessMissing);
      if (source) return { source, isEncrypted, isRemote: false };
    }
    for (const stored of storedNames(name)) {
      const source = await this.#remote?.open(directory, stored);
      if (source) return { source, isEncrypted: stored !== name, isRemote: true };
    }
    return null;
  }

  async #decrypted(
    source: ByteSource,
    directory: string,
    recordingId: string,
    { name }: RecordedFile,
  ): Promise<ByteSource> {
    try {
      const key = await readRecordingKey(directory, recordingId, this.#masterKeys);
      if (!key) throw new RecorderError('KEY_MISSING', `${directory} has no key.json.`);
      return await decrypted(source, key.key, name);
    } catch (error) {
      await source.close();
      throw error;
    }
  }
}

function storedNames(name: string): string[] {
  if (basename(name) !== name) throw new RecorderError('STORAGE_FAILED', `${name} is no file name.`);
  return [name, `${name}${ENCRYPTED}`];
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw new RecorderError('STORAGE_FAILED', error.message, { cause: error });
}
