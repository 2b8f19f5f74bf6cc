// `sipreel doctor`: how finished recordings are kept: master key, store, copies in other formats.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MasterKeys } from '../archive/encryption/master-keys.ts';
import { KEY_FILE, readRecordingKey } from '../archive/encryption/recording-key.ts';
import { Encoder } from '../archive/formats/encoder.ts';
import { dayDirectories, readRecording } from '../archive/list.ts';
import { probeStore } from '../archive/remote/probe.ts';
import type { Config } from '../config/schema.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { masterKeys, objectStore } from '../config/stored-files.ts';
import { formatsMissing, NO_ENCODER } from '../config/upkeep.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Of the newest recordings, so many are looked at for an encrypted one. */
const MOST_LOOKED_AT = 500;

export async function checkArchive(config: Config): Promise<Finding[]> {
  return [...(await checkKeys(config)), ...(await checkStore(config)), ...(await checkFormats(config))];
}

async function checkKeys(config: Config): Promise<Finding[]> {
  const { keyFile, masterKey } = config.encryption;
  const wanted = keyFile !== null || masterKey !== null;
  const keys = masterKeys(config);
  const encrypted = await newestEncrypted(storagePlaces(config).archive);
  if (!wanted) {
    if (encrypted === null) return [];
    return [
      fail(`${encrypted} is encrypted, and there is no master key: set encryption.keyFile or SIPREEL_MASTER_KEY`),
    ];
  }
  const findings: Finding[] = [];
  if (keyFile !== null && (await othersMayRead(keyFile)))
    findings.push(warn(`${keyFile} can be read by others: chmod 600`));
  try {
    const { id } = await keys.current();
    findings.push(ok(`finished recordings are encrypted with the master key ${id}`));
  } catch (error) {
    return [
      ...findings,
      fail(`the master key cannot be used, recordings wait in the spool: ${(error as Error).message}`),
    ];
  }
  if (encrypted !== null) findings.push(await checkKeyOf(encrypted, keys));
  return findings;
}

async function checkKeyOf(directory: string, keys: MasterKeys): Promise<Finding> {
  try {
    const { id } = await readRecording(directory);
    await readRecordingKey(directory, id, keys);
    return ok(`the master key opens ${directory}`);
  } catch (error) {
    return fail((error as Error).message);
  }
}

/** The directory of the newest recording with a key. */
async function newestEncrypted(dataDirectory: string): Promise<string | null> {
  let seen = 0;
  for await (const day of dayDirectories(dataDirectory)) {
    for (const name of (await readdir(day.directory)).sort().reverse()) {
      const directory = join(day.directory, name);
      if ((await readdir(directory).catch(() => [] as string[])).includes(KEY_FILE)) return directory;
      if (++seen >= MOST_LOOKED_AT) return null;
    }
  }
  return null;
}

/** Owner and group may. */
async function othersMayRead(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && (found.mode & 0o007) !== 0;
}

async function checkStore(config: Config): Promise<Finding[]> {
  const store = await objectStore(config);
  if (!store) return [];
  const { bucket, endpoint, prefix } = config.s3;
  const what = `store ${endpoint ?? 'Amazon S3'}, bucket ${bucket}`;
  const failed = await probeStore(store, prefix);
  store.close();
  if (!failed) return [ok(`${what}: an object was written, read and deleted`)];
  const { step, error } = failed;
  if (step === 'delete')
    return [
      warn(`${what}: a probe object could not be deleted, so that deletions will not reach it: ${error.message}`),
    ];
  return [fail(`${what}: a probe object could not be ${step === 'write' ? 'written' : 'read'}: ${error.message}`)];
}

async function checkFormats(config: Config): Promise<Finding[]> {
  const { formats } = config.audio;
  if (formats.length === 0) return [];
  const missing = formatsMissing(config, await Encoder.find());
  const found = formats.filter((format) => !missing.includes(format));
  return [
    ...(found.length > 0 ? [ok(`copies are made as ${found.join(', ')}`)] : []),
    ...(missing.length > 0
      ? [warn(`${NO_ENCODER}: ${missing.join(', ')}; recordings stay as WAV alone there: install ffmpeg`)]
      : []),
  ];
}
