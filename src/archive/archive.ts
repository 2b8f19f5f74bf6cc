// The archive engine: spool and tree behind the heart's interface.
import { mkdir, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { latestPacketMs } from '../journal/tail.ts';
import type { Log } from '../lib/log.ts';
import { type RecordingDocument, recordingDocument } from '../recording/document.ts';
import type { ArchiveEngine, StorageSpace } from '../recording/engines.ts';
import { type Disk, systemDisk } from './disk/disk.ts';
import type { FileEncryption } from './encryption/encryption.ts';
import { canRename, completeFiling, type FilingOptions, fileRecording, type JournalPolicy } from './filing.ts';
import { type JournalledSessions, Spool } from './spool.ts';

export interface ArchiveOptions {
  /** Where `spool` is, and where `recordings` is; they may be on different disks. */
  spoolDirectory: string;
  archiveDirectory: string;
  nameTemplate: string;
  journal: JournalPolicy;
  /** Absent: recordings are filed as they were recorded. */
  encryption?: FileEncryption | undefined;
  /** For a session.json that a power loss took. Absent: such sessions are set aside. */
  journalled?: JournalledSessions;
  log: Log;
  /** On which recordings are filed. Default: the system's. */
  disk?: Disk;
  /** On which running ones are kept; nobody syncs there, so nobody waits for long. Default: the system's. */
  spoolDisk?: Disk;
}

/** Call `prepare` before anything else: it makes the directories and finishes moves that a crash interrupted. */
export function createArchive(options: ArchiveOptions): ArchiveEngine & { prepare(): Promise<void> } {
  const { spoolDirectory, archiveDirectory, nameTemplate, journal, log } = options;
  const spool = new Spool(spoolDirectory, options.spoolDisk ?? systemDisk, log, options.journalled);
  const incoming = join(archiveDirectory, 'incoming');
  const filing: FilingOptions = {
    root: join(archiveDirectory, 'recordings'),
    nameTemplate,
    journal,
    ...(options.encryption ? { encryption: options.encryption } : {}),
    ...(options.disk ? { disk: options.disk } : {}),
  };

  async function finishInterruptedMoves(): Promise<void> {
    for (const name of await readdir(spool.root)) {
      const directory = join(spool.root, name);
      const files = await readdir(directory).catch(() => [] as string[]);
      if (!files.includes('recording.json') || files.includes('session.json')) continue;
      try {
        const document = recordingDocument.parse(
          JSON.parse(await readFile(join(directory, 'recording.json'), 'utf8')),
        ) as RecordingDocument;
        log.info(
          { directory: await completeFiling(directory, document, filing) },
          'finished recording moved to its place',
        );
      } catch (error) {
        // A full or absent archive is no fault of the recording: the next start tries again.
        log.error(
          { directory, err: error },
          'a finished recording could not be moved to its place: it stays in the spool',
        );
      }
    }
  }

  return {
    async prepare() {
      await spool.prepare();
      await mkdir(filing.root, { recursive: true, mode: 0o750 });
      // Copies that were cut short; what they are copies of is still in the spool.
      await rm(incoming, { recursive: true, force: true });
      await mkdir(incoming, { mode: 0o750 });
      if (!(await canRename(spool.root, incoming, options.disk))) filing.incoming = incoming;
      await finishInterruptedMoves();
    },
    createSession: (recordingId) => spool.create(recordingId),
    saveSession: (state) => spool.save(state),
    discardSession: (recordingId) => spool.remove(recordingId),
    unfinishedSessions: () => spool.sessions(),
    latestPacketMs: async (state) => latestPacketMs(state.journalPath),
    space: async () => {
      const [spoolSpace, archiveSpace] = await Promise.all([spaceAt(spool.root), spaceAt(filing.root)]);
      return { spool: spoolSpace, archive: archiveSpace };
    },
    file: (state, document) => fileRecording(spool.directory(state.recordingId), document, filing),
  };
}

async function spaceAt(directory: string): Promise<StorageSpace> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(directory);
  return {
    freeOctets: bavail * bsize,
    totalOctets: blocks * bsize,
    freeInodes: files > 0 ? ffree : null,
  };
}
