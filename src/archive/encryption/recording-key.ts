// key.json beside recording.json: the recording's own key, encrypted with a master key (AES-256-GCM; the recording's id and the master
// key's id are authenticated with it). It alone changes when master keys change, by one rename.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecorderError } from '../../lib/errors.ts';
import { replaceFile, syncDirectory } from '../atomic-file.ts';
import type { MasterKey, MasterKeys } from './master-keys.ts';

export const KEY_FILE = 'key.json';

const keyFile = z.object({
  version: z.literal(1),
  keyId: z.string(),
  nonce: z.base64(),
  wrapped: z.base64().describe('32 octets and a tag of 16'),
});

/** Null if there is none. Rejects with KEY_MISSING if no master key opens it. */
export async function readRecordingKey(
  directory: string,
  recordingId: string,
  masterKeys: MasterKeys,
): Promise<{ key: Buffer; masterKeyId: string } | null> {
  let text: string;
  try {
    text = await readFile(join(directory, KEY_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const { keyId, nonce, wrapped } = parsed(text, directory);
  const master = await masterKeys.get(keyId);
  try {
    const sealed = Buffer.from(wrapped, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', master.key, Buffer.from(nonce, 'base64'), { authTagLength: 16 });
    decipher.setAAD(boundTo(recordingId, keyId));
    decipher.setAuthTag(sealed.subarray(32));
    return { key: Buffer.concat([decipher.update(sealed.subarray(0, 32)), decipher.final()]), masterKeyId: keyId };
  } catch (cause) {
    const reason = `${join(directory, KEY_FILE)} was not made with the master key that is called ${keyId} now, or was changed.`;
    throw new RecorderError('KEY_MISSING', reason, { cause });
  }
}

export async function writeRecordingKey(
  directory: string,
  recordingId: string,
  key: Buffer,
  master: MasterKey,
): Promise<void> {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', master.key, nonce);
  cipher.setAAD(boundTo(recordingId, master.id));
  const wrapped = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  const content = {
    version: 1,
    keyId: master.id,
    nonce: nonce.toString('base64'),
    wrapped: wrapped.toString('base64'),
  };
  await replaceFile(join(directory, KEY_FILE), `${JSON.stringify(content, null, 2)}\n`, 'sync');
  await syncDirectory(directory);
}

function parsed(text: string, directory: string): z.infer<typeof keyFile> {
  try {
    return keyFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new RecorderError('STORAGE_FAILED', `${join(directory, KEY_FILE)} cannot be understood.`, { cause });
  }
}

const boundTo = (recordingId: string, keyId: string) =>
  Buffer.from(`sipreel recording key 1\n${recordingId}\n${keyId}`);
