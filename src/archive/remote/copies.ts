// The copies of recordings' files in a store, one by one:
//
//   (none) ──key noted──▶ uploading ──stored and verified──▶ verified ──removed in the store──▶ (none)
//
// A crash leaves `uploading`: it is uploaded again, without the parts that the store has already.
import type { Clock } from '../../lib/clock.ts';
import { RecorderError } from '../../lib/errors.ts';
import { type ByteSource, openLocalFile } from '../byte-source.ts';
import { SerialWork } from '../serial-work.ts';
import type { RemoteCopies } from '../stored-files.ts';
import type { ObjectStore } from './object-store.ts';
import { type RemoteCopy, type RemoteState, readRemote, writeRemote } from './remote-file.ts';

export class StoreCopies implements RemoteCopies {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  /** Changes of one remote.json follow each other. */
  readonly #changes = new SerialWork();
  readonly #uploads = new Map<string, { abort: AbortController; done: Promise<void> }>();

  constructor(store: ObjectStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async open(directory: string, storedName: string): Promise<ByteSource | null> {
    const copy = (await readRemote(directory))[storedName];
    return copy?.state === 'verified' ? this.#store.source(copy.key, copy.octets) : null;
  }

  async remove(directory: string, storedName: string): Promise<void> {
    const copy = (await readRemote(directory))[storedName];
    if (!copy) return;
    await this.#store.remove(copy.key, copy.uploadId);
    await this.#change(directory, storedName, null);
  }

  /** Of a recording that is being deleted; `directory` is where its remote.json is now. Rejects if the store does not answer. */
  async removeAll(directory: string, recordingId: string): Promise<void> {
    const running = this.#uploads.get(recordingId);
    running?.abort.abort();
    await running?.done;
    for (const { key, uploadId } of Object.values(await readRemote(directory))) await this.#store.remove(key, uploadId);
  }

  /** Uploads the file at `path` unless a verified copy is there. Returns the copy. Rejects with STORE_FAILED or a system's error. */
  async upload(
    recordingId: string,
    directory: string,
    storedName: string,
    path: string,
    key: string,
  ): Promise<RemoteCopy> {
    const before = (await readRemote(directory))[storedName];
    if (before?.state === 'verified') return before;
    const abort = new AbortController();
    const work = this.#upload({ directory, storedName, path, key, before }, abort.signal);
    const done = work.then(
      () => {},
      () => {},
    );
    this.#uploads.set(recordingId, { abort, done });
    try {
      return await work;
    } finally {
      this.#uploads.delete(recordingId);
    }
  }

  async close(): Promise<void> {
    for (const { abort } of this.#uploads.values()) abort.abort();
    await Promise.all([...this.#uploads.values()].map(({ done }) => done));
    this.#store.close();
  }

  async #upload(file: Upload, signal: AbortSignal): Promise<RemoteCopy> {
    const { directory, storedName, path, key, before } = file;
    // Under another key nothing of it is of use.
    if (before?.uploadId && before.key !== key) await this.#store.remove(before.key, before.uploadId);
    const uploadId = before?.key === key ? before.uploadId : null;
    const uploading: RemoteCopy = { key, state: 'uploading', uploadId, octets: 0, sha256: '', verifiedMs: 0 };
    await this.#change(directory, storedName, uploading);
    const onUpload = (newId: string) => this.#change(directory, storedName, { ...uploading, uploadId: newId });
    const content = await openLocalFile(path);
    const stored = await this.#store.put(key, content, { signal, uploadId, onUpload }).finally(() => content.close());
    if (signal.aborted) throw new RecorderError('STORE_FAILED', 'The upload was given up.');
    const copy: RemoteCopy = { ...uploading, state: 'verified', ...stored, verifiedMs: this.#clock.wallMs() };
    await this.#change(directory, storedName, copy);
    return copy;
  }

  #change(directory: string, storedName: string, copy: RemoteCopy | null): Promise<void> {
    return this.#changes.run(directory, async () => {
      const { [storedName]: _, ...others } = await readRemote(directory);
      const after: RemoteState = copy ? { ...others, [storedName]: copy } : others;
      await writeRemote(directory, after);
    });
  }
}

interface Upload {
  directory: string;
  storedName: string;
  path: string;
  key: string;
  before: RemoteCopy | undefined;
}
