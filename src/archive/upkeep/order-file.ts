// upkeep.json in the archive's directory: the order to go over older recordings too, and how far that is. A command writes it, the
// recorder works on it and removes it when it is done.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../atomic-file.ts';

const upkeepOrder = z.object({
  version: z.literal(1),
  /** Of recordings that started then, Unix ms; null: from the first, to the last. */
  fromMs: z.number().nullable(),
  toMs: z.number().nullable(),
  /** Cursor of the page that is next; null: the first. */
  after: z.string().nullable(),
  done: z.number().int(),
  failed: z.number().int(),
});

export type UpkeepOrder = z.infer<typeof upkeepOrder>;

export class OrderFile {
  readonly #path: string;

  constructor(dataDirectory: string) {
    this.#path = join(dataDirectory, 'upkeep.json');
  }

  /** Null if there is none. Rejects if it cannot be understood. */
  async read(): Promise<UpkeepOrder | null> {
    try {
      return upkeepOrder.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async write(order: UpkeepOrder): Promise<void> {
    await replaceFile(this.#path, `${JSON.stringify(order)}\n`, 'sync');
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

export function newOrder(fromMs: number | null, toMs: number | null): UpkeepOrder {
  return { version: 1, fromMs, toMs, after: null, done: 0, failed: 0 };
}
