// Where things are stored, as absolute paths.
import { resolve } from 'node:path';
import type { Config } from './schema.ts';

/** `spool` holds the directory `spool`, `archive` the directory `recordings`; both are `data` unless configured. */
export function storagePlaces({ data, storage }: Pick<Config, 'data' | 'storage'>): {
  data: string;
  spool: string;
  archive: string;
} {
  const place = (configured: string | null) => resolve(configured ?? data);
  return { data: resolve(data), spool: place(storage.spoolDirectory), archive: place(storage.archiveDirectory) };
}
