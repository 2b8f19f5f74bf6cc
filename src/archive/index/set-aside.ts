// A damaged SQLite file is put aside: the index can be built again, and the recorder must not stand still for it.
import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGED = new Set([11, 26]);

/** Looks at the schema only. What is wrong further in is found by whoever reads it. */
export function setAsideIfDamaged(path: string, wallMs: number, log: Log): void {
  try {
    if (!existsSync(path)) return;
    const database = new DatabaseSync(path);
    try {
      database.prepare('select count(*) from sqlite_master').get();
    } finally {
      database.close();
    }
  } catch (error) {
    if (!DAMAGED.has((error as { errcode?: number }).errcode ?? 0)) return;
    const aside = `${path}.damaged-${wallMs}`;
    renameSync(path, aside);
    log.error({ err: error, path: aside }, 'the index was damaged: it is put aside and built again');
  }
}
