// A finished recording goes from the spool to recordings/<yyyy>/<mm>/<dd>/<name>/ by one rename, so it is there whole or not at all.
//
// On one disk:     unfinished ──recording.json written, session.json removed──▶ complete ──renamed──▶ filed
// On two disks:    unfinished ──copied aside, synced, sums checked, renamed──▶ filed ──session.json, then the rest removed──▶ gone
//
// With encryption, files are encrypted in the spool directory once it is complete, or while they are copied; the plain ones go when
// all encrypted ones have proved right.
//
// A crash leaves one of these states. Whoever finds `complete` calls `completeFiling`; `unfinished` is rendered and filed again,
// and a recording that is filed already is recognised by its id.
import { basename, dirname, join } from 'node:path';
import type { RecordingDocument } from '../recording/document.ts';
import { type Disk, type DiskCall, inOrder, systemDisk } from './disk/disk.ts';
import { ENCRYPTED, type FileEncryption } from './encryption/encryption.ts';
import { recordingDay, recordingName } from './names.ts';

/** `always`: capture.pcapng stays beside the audio. `when-needed`: only if the audio does not hold everything. */
export type JournalPolicy = 'always' | 'when-needed';

export interface FilingOptions {
  /** `recordings`: the tree of finished ones. */
  root: string;
  nameTemplate: string;
  journal: JournalPolicy;
  /** When the spool is on another disk than `root`: a directory beside `root` to copy into. */
  incoming?: string;
  /** Absent: files stay as they were recorded. */
  encryption?: FileEncryption;
  disk?: Disk;
}

const JOURNAL_NAME = 'capture.pcapng';
const DOCUMENT_NAME = 'recording.json';
const SESSION_NAME = 'session.json';
const MAX_SAME_NAMES = 10_000;

/** Completes recording.json with the journal's entry, writes it, and moves the directory. Returns where it is now. Repeating it is harmless. */
export async function fileRecording(
  spoolDirectory: string,
  document: RecordingDocument,
  options: FilingOptions,
): Promise<{ directory: string; document: RecordingDocument }> {
  const { disk = systemDisk, journal } = options;
  const journalPath = join(spoolDirectory, JOURNAL_NAME);
  const [unfinished, journalled] = await inOrder(
    disk,
    ['exists', join(spoolDirectory, SESSION_NAME)],
    ['exists', journalPath],
  );
  const before = unfinished || options.incoming ? null : await completedBefore(spoolDirectory, document.id, disk);
  if (before) return { directory: await completeFiling(spoolDirectory, before, options), document: before };
  const completed = { ...document, files: [...document.files] };
  if ((journal === 'always' || journalIsNeeded(document)) && journalled) {
    completed.files.push({ name: JOURNAL_NAME, role: 'journal', ...(await disk.fingerprint(journalPath)) });
  }
  const text = `${JSON.stringify(completed, null, 2)}\n`;
  const complete: DiskCall[] = [['replaceFile', join(spoolDirectory, DOCUMENT_NAME), text]];
  if (!options.incoming) {
    complete.push(
      ['remove', join(spoolDirectory, `${SESSION_NAME}.part`)],
      ['remove', join(spoolDirectory, SESSION_NAME)],
      ['syncDirectory', spoolDirectory],
    );
  }
  await inOrder(disk, ...complete);
  return { directory: await completeFiling(spoolDirectory, completed, options), document: completed };
}

/** For a spool directory with its recording.json. Returns where the recording is. */
export async function completeFiling(
  spoolDirectory: string,
  document: RecordingDocument,
  options: FilingOptions,
): Promise<string> {
  const { disk = systemDisk, incoming } = options;
  const day = join(options.root, recordingDay(document));
  const name = recordingName(document.rule?.name ?? options.nameTemplate, document);
  for (let attempt = 1; attempt <= MAX_SAME_NAMES; attempt++) {
    const target = join(day, attempt === 1 ? name : `${name}_${attempt}`);
    const [, taken] = await inOrder(disk, ['makeDirectory', day], ['exists', target]);
    if (!taken) {
      if (incoming) await copyTo(target, spoolDirectory, document, options);
      else await renameTo(target, spoolDirectory, document, options);
    } else if (!incoming || !(await isThatRecording(target, document.id, disk))) continue;
    if (incoming) await removeFiled(spoolDirectory, disk);
    return target;
  }
  throw new Error(`no free name for ${name} in ${day}`);
}

async function renameTo(target: string, from: string, document: RecordingDocument, options: FilingOptions) {
  const { disk = systemDisk, encryption } = options;
  if (encryption) await encryptInPlace(from, document, encryption, disk);
  const moved: DiskCall[] = [
    ['rename', from, target],
    ['syncDirectory', dirname(target)],
  ];
  // Only now: without recording.json the journal is all there is.
  if (!isListed(JOURNAL_NAME, document)) moved.unshift(['remove', join(from, JOURNAL_NAME)]);
  await inOrder(disk, ...moved);
}

async function encryptInPlace(directory: string, document: RecordingDocument, encryption: FileEncryption, disk: Disk) {
  const plain: string[] = [];
  for (const file of document.files) {
    const path = join(directory, file.name);
    // What an earlier attempt has encrypted and removed.
    if (!(await disk.exists(path)) && (await disk.exists(`${path}${ENCRYPTED}`))) continue;
    await encryption.encrypt(path, directory, document.id, file);
    plain.push(path);
  }
  for (const path of plain) await disk.remove(path);
}

async function copyTo(target: string, from: string, document: RecordingDocument, options: FilingOptions) {
  const { disk = systemDisk, encryption } = options;
  const aside = join(options.incoming!, basename(from));
  await disk.remove(aside);
  await disk.makeDirectory(aside);
  for (const file of document.files) {
    const { name, sha256 } = file;
    if (encryption) {
      await encryption.encrypt(join(from, name), aside, document.id, file);
      continue;
    }
    await disk.copySynced(join(from, name), join(aside, name));
    if ((await disk.fingerprint(join(aside, name))).sha256 !== sha256) throw differs(name, aside);
  }
  await inOrder(
    disk,
    ['replaceFile', join(aside, DOCUMENT_NAME), await disk.readText(join(from, DOCUMENT_NAME))],
    ['syncDirectory', aside],
    ['rename', aside, target],
    ['syncDirectory', dirname(target)],
  );
}

/** In this order, so that a crash leaves either what is taken up again, or what is known to be filed. */
async function removeFiled(directory: string, disk: Disk): Promise<void> {
  await disk.remove(join(directory, SESSION_NAME));
  for (const name of await disk.names(directory)) {
    if (name !== DOCUMENT_NAME) await disk.remove(join(directory, name));
  }
  await disk.remove(directory);
}

/** Whether a directory can be renamed from one place into the other: bind mounts of one disk are two disks here. */
export async function canRename(from: string, to: string, disk: Disk = systemDisk): Promise<boolean> {
  const probe = join(from, `.move-${process.pid}`);
  await disk.makeDirectory(probe);
  try {
    await disk.rename(probe, join(to, basename(probe)));
    await disk.remove(join(to, basename(probe)));
    return true;
  } catch (error) {
    await disk.remove(probe);
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    return false;
  }
}

/** What an earlier attempt has completed, session.json being gone, and could not move; the journal may be encrypted and gone by now. */
async function completedBefore(directory: string, recordingId: string, disk: Disk): Promise<RecordingDocument | null> {
  if (!(await isThatRecording(directory, recordingId, disk))) return null;
  return JSON.parse(await disk.readText(join(directory, DOCUMENT_NAME))) as RecordingDocument;
}

function isListed(name: string, document: RecordingDocument): boolean {
  return document.files.some((file) => file.name === name);
}

function differs(name: string, aside: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`EIO: the copy of ${name} in ${aside} differs from what was recorded`), {
    code: 'EIO',
  });
}

async function isThatRecording(directory: string, recordingId: string, disk: Disk): Promise<boolean> {
  const text = await disk.readText(join(directory, DOCUMENT_NAME)).catch(() => '{}');
  try {
    return (JSON.parse(text) as { id?: unknown }).id === recordingId;
  } catch {
    return false;
  }
}

/** Something was received that the WAV does not hold. */
export function journalIsNeeded(document: Pick<RecordingDocument, 'state' | 'streams'>): boolean {
  if (document.state === 'failed' || document.state === 'not-renderable') return true;
  return document.streams.some(
    (stream) =>
      stream.undecodable > 0 ||
      stream.late > 0 ||
      (stream.srtp?.undecrypted ?? 0) > 0 ||
      (stream.packets > 0 && !stream.rendered),
  );
}
