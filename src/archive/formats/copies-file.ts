// formats.json beside recording.json: copies of the audio in other formats, made after it was filed. recording.json stays as it was
// written; whoever reads the recording is shown both.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { COPY_FORMATS } from '../../recording/audio-format.ts';
import type { RecordedFile, RecordingDocument } from '../../recording/document.ts';
import { replaceFile, syncDirectory } from '../atomic-file.ts';

export const FORMATS_FILE = 'formats.json';

const formatsFile = z.object({
  version: z.literal(1),
  files: z.array(
    z.object({
      name: z.enum(COPY_FORMATS.map((format) => `audio.${format}` as const)),
      role: z.literal('audio'),
      octets: z.number().int().positive(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** The document with the copies that there are, behind the WAV. */
export async function withCopies(document: RecordingDocument, directory: string): Promise<RecordingDocument> {
  if (document.audio === null) return document;
  const copies = await read(directory);
  if (copies.length === 0) return document;
  const names = new Set<string>(copies.map(({ name }) => name));
  return { ...document, files: [...document.files.filter(({ name }) => !names.has(name)), ...copies] };
}

/** Call it when the file is there. */
export async function noteCopy(directory: string, file: RecordedFile): Promise<void> {
  const files = [...(await read(directory)).filter(({ name }) => name !== file.name), file];
  await replaceFile(join(directory, FORMATS_FILE), `${JSON.stringify({ version: 1, files }, null, 2)}\n`, 'sync');
  await syncDirectory(directory);
}

async function read(directory: string): Promise<RecordedFile[]> {
  try {
    return formatsFile.parse(JSON.parse(await readFile(join(directory, FORMATS_FILE), 'utf8'))).files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
