// How the machine's own command line gets in: a token that lives as long as the process, in a file that only its owner can
// read; and single-use codes that open the page in a browser.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../archive/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { digest, newSecret, sameDigest } from './secrets.ts';

const CODE_LIFE_MS = 15 * 60_000;
const MAX_CODES = 32;

const localFile = z.object({ url: z.string(), token: z.string() });
export type LocalApi = z.infer<typeof localFile>;

const pathOf = (dataDirectory: string) => join(dataDirectory, 'http', 'local.json');

export class LocalAccess {
  readonly #dataDirectory: string;
  readonly #clock: Clock;
  readonly #token = newSecret();
  /** Digest of a code to its end, Clock.nowMs. */
  readonly #codes = new Map<string, number>();

  constructor(dataDirectory: string, clock: Clock) {
    this.#dataDirectory = dataDirectory;
    this.#clock = clock;
  }

  /** Rejects with STORAGE_FAILED. */
  async publish(url: string): Promise<void> {
    try {
      await mkdir(join(this.#dataDirectory, 'http'), { recursive: true, mode: 0o700 });
      await replaceFile(pathOf(this.#dataDirectory), JSON.stringify({ url, token: this.#token }), 'rename-only', 0o600);
    } catch (error) {
      throw new RecorderError('STORAGE_FAILED', (error as Error).message, { cause: error });
    }
  }

  async withdraw(): Promise<void> {
    await rm(pathOf(this.#dataDirectory), { force: true });
  }

  isOurs(token: string): boolean {
    return sameDigest(digest(token), digest(this.#token));
  }

  /** For a link: opens one session within a quarter of an hour. */
  newCode(): string {
    const nowMs = this.#clock.nowMs();
    for (const [key, endMs] of this.#codes) if (endMs <= nowMs) this.#codes.delete(key);
    const oldest = this.#codes.keys().next();
    if (this.#codes.size >= MAX_CODES && !oldest.done) this.#codes.delete(oldest.value);
    const code = newSecret();
    this.#codes.set(digest(code), nowMs + CODE_LIFE_MS);
    return code;
  }

  redeem(code: string): boolean {
    const key = digest(code);
    const endMs = this.#codes.get(key);
    this.#codes.delete(key);
    return endMs !== undefined && endMs > this.#clock.nowMs();
  }
}

/** For commands: where the running recorder of that data directory is, and the token for it. Null if there is none, or it is not ours to read. */
export async function findLocalApi(dataDirectory: string): Promise<LocalApi | null> {
  try {
    return localFile.parse(JSON.parse(await readFile(pathOf(dataDirectory), 'utf8')));
  } catch {
    return null;
  }
}
