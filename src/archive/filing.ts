// A finished recording moves from the spool to recordings/<yyyy>/<mm>/<dd>/<name>/ by one rename, so it is there whole or not at all.
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RecordingDocument } from '../recording/document.ts';
import { fingerprint, replaceFile, syncDirectory } from './atomic-file.ts';
import { recordingDay, recordingName } from './names.ts';

/** `always`: capture.pcapng stays beside the audio. `when-needed`: only if the audio does not hold everything. */
export type JournalPolicy = 'always' | 'when-needed';

export interface FilingOptions {
  /** <data>/recordings */
  root: string;
  nameTemplate: string;
  journal: JournalPolicy;
}

const JOURNAL_NAME = 'capture.pcapng';
const MAX_SAME_NAMES = 10_000;

/** Completes recording.json with the journal's entry, writes it, and moves the directory. Returns where it is now. */
export async function fileRecording(
  spoolDirectory: string,
  document: RecordingDocument,
  options: FilingOptions,
): Promise<{ directory: string; document: RecordingDocument }> {
  const journalPath = join(spoolDirectory, JOURNAL_NAME);
  const completed = { ...document, files: [...document.files] };
  if (await exists(journalPath)) {
    if (options.journal === 'always' || journalIsNeeded(document)) {
      completed.files.push({ name: JOURNAL_NAME, role: 'journal', ...(await fingerprint(journalPath)) });
    } else {
      await rm(journalPath);
    }
  }
  await replaceFile(join(spoolDirectory, 'recording.json'), `${JSON.stringify(completed, null, 2)}\n`, 'sync');
  await rm(join(spoolDirectory, 'session.json.part'), { force: true });
  await rm(join(spoolDirectory, 'session.json'), { force: true });
  await syncDirectory(spoolDirectory);
  return { directory: await moveToPlace(spoolDirectory, completed, options), document: completed };
}

/** Also used for a spool directory that a crash left between completion and move: it has recording.json but no session.json. */
export async function moveToPlace(
  spoolDirectory: string,
  document: RecordingDocument,
  options: FilingOptions,
): Promise<string> {
  const day = join(options.root, recordingDay(document));
  await mkdir(day, { recursive: true, mode: 0o750 });
  const name = recordingName(document.rule?.name ?? options.nameTemplate, document);
  for (let attempt = 1; attempt <= MAX_SAME_NAMES; attempt++) {
    const target = join(day, attempt === 1 ? name : `${name}_${attempt}`);
    if (await exists(target)) continue;
    await rename(spoolDirectory, target);
    await syncDirectory(dirname(target));
    return target;
  }
  throw new Error(`no free name for ${name} in ${day}`);
}

/** Something was received that the WAV does not hold. */
function journalIsNeeded(document: RecordingDocument): boolean {
  if (document.state === 'failed' || document.state === 'not-renderable') return true;
  return document.streams.some(
    (stream) =>
      stream.undecodable > 0 || (stream.srtp?.undecrypted ?? 0) > 0 || (stream.packets > 0 && !stream.rendered),
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
