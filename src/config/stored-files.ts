// How finished recordings are stored, as configured: for the recorder, and for commands that read the archive themselves.
import { type FileEncryption, fileEncryption } from '../archive/encryption/encryption.ts';
import { MasterKeys } from '../archive/encryption/master-keys.ts';
import { StoredFiles } from '../archive/stored-files.ts';
import type { Config } from './schema.ts';

export function masterKeys({ encryption }: Pick<Config, 'encryption'>): MasterKeys {
  return new MasterKeys({ keys: encryption.masterKey, file: encryption.keyFile });
}

/** For what is filed from now on; undefined: it is not encrypted. */
export function encryptionOf(config: Pick<Config, 'encryption'>): FileEncryption | undefined {
  const { keyFile, masterKey } = config.encryption;
  return keyFile === null && masterKey === null ? undefined : fileEncryption(masterKeys(config));
}

export function storedFiles(config: Pick<Config, 'encryption'>): StoredFiles {
  return new StoredFiles({ masterKeys: masterKeys(config) });
}
