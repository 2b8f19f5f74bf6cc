// A stored file opened for reading: the descriptor keeps its content even if the recording is deleted meanwhile.
import { open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';
import type { RecordedFile } from '../recording/document.ts';
import type { OpenRecordingFile } from '../recording/library.ts';

/** Rejects with STORAGE_FAILED if it is missing or its size is not the one that recording.json says. */
export async function openRecordingFile(directory: string, file: RecordedFile): Promise<OpenRecordingFile> {
  const path = pathOf(directory, file);
  const handle = await open(path, 'r').catch((error: Error) => {
    throw new RecorderError('STORAGE_FAILED', error.message, { cause: error });
  });
  const close = closeOnce(() => handle.close());
  try {
    const { size } = await handle.stat();
    if (size !== file.octets) {
      throw new RecorderError('STORAGE_FAILED', `${path} has ${size} octets where recording.json says ${file.octets}.`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    file,
    read: (first, last) =>
      handle.createReadStream({ start: first, end: last, autoClose: false, highWaterMark: 1 << 16 }),
    close,
  };
}

/** Whoever has it open reads on. */
export async function removeRecordingFile(directory: string, file: RecordedFile): Promise<void> {
  await rm(pathOf(directory, file), { force: true });
}

function pathOf(directory: string, { name }: RecordedFile): string {
  if (basename(name) !== name) throw new RecorderError('STORAGE_FAILED', `${name} is no file name.`);
  return join(directory, name);
}
