// <data>/http/tokens.json: who may come in from outside. Written by `sipreel token`, read again whenever it has changed.
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile, syncDirectory } from '../archive/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { ROLES } from './caller.ts';
import { digest, newSecret, sameDigest } from './secrets.ts';

/** Makes a leaked token recognisable. */
const TOKEN_PREFIX = 'sipreel_';
const LOCK_ATTEMPTS = 40;
const LOCK_RETRY_MS = 50;

const pattern = z.string().min(1).max(256);
const tokenEntry = z.object({
  name: z.string().regex(/^[\w.@-]{1,64}$/, 'may have letters, digits, and . _ - @, 64 at the most'),
  role: z.enum(ROLES),
  scope: z.object({ parties: z.array(pattern).max(100), groups: z.array(pattern).max(100) }),
  /** Of the token, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdMs: z.number(),
  /** Unix ms; null for never. */
  expiresMs: z.number().nullable(),
});
const tokensFile = z.object({ version: z.literal(1), tokens: z.array(tokenEntry) });

export type TokenEntry = z.infer<typeof tokenEntry>;

export class TokenStore {
  readonly #directory: string;
  readonly #path: string;
  readonly #clock: Clock;
  #read: { stamp: string; tokens: TokenEntry[] } = { stamp: '', tokens: [] };

  constructor(dataDirectory: string, clock: Clock) {
    this.#directory = join(dataDirectory, 'http');
    this.#path = join(this.#directory, 'tokens.json');
    this.#clock = clock;
  }

  /** Those that are valid now. Rejects with STORAGE_FAILED if the file cannot be understood: nobody is let in then. */
  async valid(): Promise<TokenEntry[]> {
    const nowMs = this.#clock.wallMs();
    return (await this.all()).filter(({ expiresMs }) => expiresMs === null || expiresMs > nowMs);
  }

  /** The entry that a token belongs to; null if there is none or it has expired. */
  async verify(token: string): Promise<TokenEntry | null> {
    const sha256 = digest(token);
    const valid = await this.valid();
    return valid.filter((entry) => sameDigest(entry.sha256, sha256))[0] ?? null;
  }

  async all(): Promise<TokenEntry[]> {
    try {
      const { ino, mtimeNs, size } = await stat(this.#path, { bigint: true });
      const stamp = `${ino} ${mtimeNs} ${size}`;
      if (stamp !== this.#read.stamp) {
        const { tokens } = tokensFile.parse(JSON.parse(await readFile(this.#path, 'utf8')));
        this.#read = { stamp, tokens };
      }
      return this.#read.tokens;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new RecorderError('STORAGE_FAILED', `${this.#path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Returns the token itself: it is kept nowhere and cannot be had again. Rejects with CONFIG_INVALID if the name is taken or the rest is wrong. */
  async create(wanted: Pick<TokenEntry, 'name' | 'role' | 'scope' | 'expiresMs'>): Promise<string> {
    const token = TOKEN_PREFIX + newSecret();
    const entry = tokenEntry.safeParse({ ...wanted, sha256: digest(token), createdMs: this.#clock.wallMs() });
    if (!entry.success) {
      const issues = entry.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
      throw new RecorderError('CONFIG_INVALID', issues.join('; '));
    }
    await this.#change((tokens) => {
      if (tokens.some(({ name }) => name === wanted.name)) {
        throw new RecorderError('CONFIG_INVALID', `There is a token named ${wanted.name} already.`);
      }
      return [...tokens, entry.data];
    });
    return token;
  }

  /** False if there is none of that name. */
  async revoke(name: string): Promise<boolean> {
    let found = false;
    await this.#change((tokens) => {
      found = tokens.some((token) => token.name === name);
      return tokens.filter((token) => token.name !== name);
    });
    return found;
  }

  async #change(change: (tokens: TokenEntry[]) => TokenEntry[]): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const unlock = await this.#lock();
    try {
      const tokens = change(await this.all());
      await replaceFile(this.#path, `${JSON.stringify({ version: 1, tokens }, null, 2)}\n`, 'sync', 0o600);
      await syncDirectory(this.#directory);
    } finally {
      await unlock();
    }
  }

  /** Two commands at once must not lose each other's change. */
  async #lock(): Promise<() => Promise<void>> {
    const path = `${this.#path}.lock`;
    for (let attempt = 1; ; attempt++) {
      try {
        await (await open(path, 'wx', 0o600)).close();
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === LOCK_ATTEMPTS) {
          throw new RecorderError(
            'STORAGE_FAILED',
            `${path} cannot be made; remove it if no other command is running.`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
      }
    }
  }
}
