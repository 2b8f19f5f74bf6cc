// How finished recordings are stored, as configured: for the recorder, and for commands that read the archive themselves.
import { type FileEncryption, fileEncryption } from '../archive/encryption/encryption.ts';
import { MasterKeys } from '../archive/encryption/master-keys.ts';
import { StoreCopies } from '../archive/remote/copies.ts';
import type { ObjectStore } from '../archive/remote/object-store.ts';
import { StoredFiles } from '../archive/stored-files.ts';
import { systemClock } from '../lib/clock.ts';
import type { Config } from './schema.ts';

export function masterKeys({ encryption }: Pick<Config, 'encryption'>): MasterKeys {
  return new MasterKeys({ keys: encryption.masterKey, file: encryption.keyFile });
}

/** For what is filed from now on; undefined: it is not encrypted. */
export function encryptionOf(config: Pick<Config, 'encryption'>): FileEncryption | undefined {
  const { keyFile, masterKey } = config.encryption;
  return keyFile === null && masterKey === null ? undefined : fileEncryption(masterKeys(config));
}

/** Null: there is no store. */
export async function storeCopies(config: Pick<Config, 's3'>): Promise<StoreCopies | null> {
  const store = await objectStore(config);
  return store && new StoreCopies(store, systemClock);
}

/** Null: there is none. */
export async function objectStore({ s3 }: Pick<Config, 's3'>): Promise<ObjectStore | null> {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = s3;
  if (bucket === null) return null;
  // Loaded where it is used: the SDK costs a fifth of a second and 35 MB.
  const { ObjectStore } = await import('../archive/remote/object-store.ts');
  const credentials = accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey };
  return new ObjectStore({ bucket, endpoint, region, credentials });
}

export function storedFiles(config: Pick<Config, 'encryption'>, copies: StoreCopies | null): StoredFiles {
  return new StoredFiles({ masterKeys: masterKeys(config), remote: copies, encryption: encryptionOf(config) });
}
