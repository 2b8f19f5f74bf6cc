// A file system over the real one whose writes can fail, stall or be cut short.
import fs from 'node:fs';
import type { FileSystem } from '../../src/capture/journal-file.ts';

export class FailingDisk implements FileSystem {
  readonly open = fs.open;
  readonly fstat = fs.fstat;
  readonly read = fs.read;
  readonly ftruncate = fs.ftruncate;
  readonly close = fs.close;
  readonly fsync = ((fd: number, done: fs.NoParamCallback) => {
    if (this.fails) done(this.#error());
    else fs.fsync(fd, done);
  }) as typeof fs.fsync;
  /** The code that all writes fail with now. */
  fails: string | null = null;
  /** Writes wait until `resume()`. */
  stalled = false;
  /** Octets that one write takes at most. */
  takes = Number.MAX_SAFE_INTEGER;
  /** Answers come in a later microtask; by default at once, so that tests with a manual clock need not wait. */
  asynchronous = false;
  /** Write requests so far. */
  writes = 0;
  #waiting: (() => void)[] = [];

  readonly write: FileSystem['write'] = (fd, buffer, offset, length, position, done) => {
    this.writes++;
    const go = () => {
      if (this.fails) return done(this.#error(), 0);
      done(null, fs.writeSync(fd, buffer, offset, Math.min(length, this.takes), position));
    };
    if (this.stalled) this.#waiting.push(go);
    else if (this.asynchronous) queueMicrotask(go);
    else go();
  };

  resume(): void {
    this.stalled = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  #error(): NodeJS.ErrnoException {
    return Object.assign(new Error(`${this.fails}: injected`), { code: this.fails!, syscall: 'write' });
  }
}
