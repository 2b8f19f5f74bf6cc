import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeAnnotations } from '../../../src/archive/annotations.ts';
import { compareRecording, missingRecordings } from '../../../src/archive/index/compare.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { fileExample, recordingId } from '../library-suite.ts';
import { openLibrary } from './open-library.ts';

test('what index and files say of each other', async () => {
  const data = await temporaryDirectory();
  const root = join(data, 'recordings');
  const filed: Awaited<ReturnType<typeof fileExample>>[] = [];
  for (const n of [1, 2, 3, 4]) filed.push(await fileExample(data, { id: recordingId(n) }));
  const { index } = await openLibrary(data, { kind: 'sqlite', path: join(data, 'index.sqlite') });
  const [kept, annotated, moved, gone] = filed as [
    (typeof filed)[0],
    (typeof filed)[0],
    (typeof filed)[0],
    (typeof filed)[0],
  ];
  const late = await fileExample(data, { id: recordingId(5) });
  await writeAnnotations(annotated.directory, { tags: ['new'], notes: [], hold: null });
  const elsewhere = `${moved.directory}-moved`;
  await rename(moved.directory, elsewhere);
  await rm(gone.directory, { recursive: true });
  await writeFile(join(root, 'stray'), '');

  const code = async (recording: (typeof filed)[0]) => (await compareRecording(index, recording, root))?.code ?? null;
  expect(await code(kept)).toBeNull();
  expect(await code(annotated)).toBe('index-differs');
  expect(await code({ ...moved, directory: elsewhere })).toBe('indexed-elsewhere');
  expect(await code(late)).toBe('not-indexed');
  const missing = [];
  for await (const problem of missingRecordings(index, 'here', root)) missing.push(problem.path);
  expect(missing.map((path) => join(root, path)).sort()).toEqual([moved.directory, gone.directory].sort());
});
