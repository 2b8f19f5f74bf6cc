// Encrypts what is filed. `audio.wav` becomes `audio.wav.enc`; recording.json goes on telling the plain content's name, size and SHA-256.
import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordedFile } from '../../recording/document.ts';
import { syncDirectory } from '../atomic-file.ts';
import { encryptFile } from './encrypted-file.ts';
import type { MasterKeys } from './master-keys.ts';
import { readRecordingKey, writeRecordingKey } from './recording-key.ts';

export const ENCRYPTED = '.enc';

export interface FileEncryption {
  /** Rejects with KEY_MISSING if there is no master key now. */
  ready(): Promise<void>;
  /** Makes `<directory>/<name>.enc` of the file at `from`, proved by reading it back. Repeating it is harmless. Rejects with KEY_MISSING. */
  encrypt(from: string, directory: string, recordingId: string, file: RecordedFile): Promise<void>;
}

export function fileEncryption(masterKeys: MasterKeys): FileEncryption {
  return {
    ready: async () => void (await masterKeys.current()),
    async encrypt(from, directory, recordingId, file) {
      const target = join(directory, `${file.name}${ENCRYPTED}`);
      const key = await keyFor(directory, recordingId, masterKeys);
      await encryptFile(from, `${target}.part`, file, key);
      await rename(`${target}.part`, target);
      await syncDirectory(directory);
    },
  };
}

/** The one that an earlier file of the recording has got, or a new one. */
async function keyFor(directory: string, recordingId: string, masterKeys: MasterKeys): Promise<Buffer> {
  const known = await readRecordingKey(directory, recordingId, masterKeys);
  if (known) return known.key;
  const key = randomBytes(32);
  await writeRecordingKey(directory, recordingId, key, await masterKeys.current());
  return key;
}
