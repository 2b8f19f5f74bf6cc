import { hostname } from 'node:os';
import type { Config } from './schema.ts';

/** This recorder's name among those that share a database. */
export function recorderName({ index }: Pick<Config, 'index'>): string {
  return index.recorder ?? hostname();
}
