// annotations.json beside recording.json: tags, notes and the legal hold. Replaced atomically; absent means none.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Annotations } from '../recording/library.ts';
import { replaceFile, syncDirectory } from './atomic-file.ts';

const ANNOTATIONS_FILE = 'annotations.json';

const annotationsFile = z.object({
  version: z.literal(1),
  tags: z.array(z.string()),
  notes: z.array(z.object({ noteId: z.string(), text: z.string(), by: z.string(), atMs: z.number() })),
  hold: z.object({ reason: z.string().nullable(), by: z.string(), sinceMs: z.number() }).nullable(),
});

/** Throws if there is a file that cannot be understood: a hold must not be overlooked. */
export async function readAnnotations(directory: string): Promise<Annotations> {
  let text: string;
  try {
    text = await readFile(join(directory, ANNOTATIONS_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { tags: [], notes: [], hold: null };
    throw error;
  }
  const { tags, notes, hold } = annotationsFile.parse(JSON.parse(text));
  return { tags, notes, hold };
}

/** What stands for annotations that cannot be read: they may hold a hold. */
export function unreadable(error: Error, wallMs: number): Annotations {
  const reason = `annotations.json cannot be read: ${error.message}`;
  return { tags: [], notes: [], hold: { reason, by: 'sipreel', sinceMs: wallMs } };
}

export async function writeAnnotations(directory: string, annotations: Annotations): Promise<void> {
  const text = `${JSON.stringify({ version: 1, ...annotations }, null, 2)}\n`;
  await replaceFile(join(directory, ANNOTATIONS_FILE), text, 'sync');
  await syncDirectory(directory);
}
