// `sipreel rotate-keys`: every recording's key under the first master key.
import { parseArgs } from 'node:util';
import { rotateKeys } from '../archive/encryption/rotate.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { masterKeys } from '../config/stored-files.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { configFromFlags } from './serve-options.ts';

export const ROTATE_KEYS_USAGE = `sipreel rotate-keys [--data DIR] [--config FILE]

Encrypts the keys of all finished recordings with the first master key (encryption.keyFile, SIPREEL_MASTER_KEY). To change the
master key: put a new one before the old one, run this, then remove the old one. Only the small key.json files are written; the
recordings stay as they are, also in a store. May run beside the recorder, be cut off, and be run again; two at once are refused.
The exit code is 1 if a key could not be opened: keep the old master key then.`;

export async function rotateKeysCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { data: { type: 'string' }, config: { type: 'string' } } });
  const config = await configFromFlags({ data: values.data, config: values.config });
  const failed = (directory: string, error: unknown) => console.error(`${directory}: ${(error as Error).message}`);
  const counts = await rotateKeys(storagePlaces(config).archive, masterKeys(config), failed);
  console.log(
    `${counts.rotated} keys rotated, ${counts.already} were under the first master key, ${counts.failed} failed.`,
  );
  return counts.failed === 0 ? EXIT_OK : EXIT_FAILED;
}
