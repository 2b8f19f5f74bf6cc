// The archive engine: spool and tree behind the heart's interface.
import { mkdir, readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { latestPacketMs } from '../journal/tail.ts';
import type { Log } from '../lib/log.ts';
import { type RecordingDocument, recordingDocument } from '../recording/document.ts';
import type { ArchiveEngine, StorageSpace } from '../recording/engines.ts';
import { type FilingOptions, fileRecording, type JournalPolicy, moveToPlace } from './filing.ts';
import { Spool } from './spool.ts';

export interface ArchiveOptions {
  dataDirectory: string;
  nameTemplate: string;
  journal: JournalPolicy;
  log: Log;
}

/** Call `prepare` before anything else: it makes the directories and finishes moves that a crash interrupted. */
export function createArchive(options: ArchiveOptions): ArchiveEngine & { prepare(): Promise<void> } {
  const { dataDirectory, nameTemplate, journal, log } = options;
  const spool = new Spool(dataDirectory, log);
  const filing: FilingOptions = { root: join(dataDirectory, 'recordings'), nameTemplate, journal };

  async function finishInterruptedMoves(): Promise<void> {
    const spoolRoot = join(dataDirectory, 'spool');
    for (const name of await readdir(spoolRoot)) {
      const directory = join(spoolRoot, name);
      const files = await readdir(directory).catch(() => [] as string[]);
      if (!files.includes('recording.json') || files.includes('session.json')) continue;
      try {
        const document = recordingDocument.parse(
          JSON.parse(await readFile(join(directory, 'recording.json'), 'utf8')),
        ) as RecordingDocument;
        log.info(
          { directory: await moveToPlace(directory, document, filing) },
          'finished recording moved to its place',
        );
      } catch (error) {
        log.error({ directory, err: error }, 'unreadable recording is left in the spool: look at it by hand');
      }
    }
  }

  return {
    async prepare() {
      await spool.prepare();
      await mkdir(filing.root, { recursive: true, mode: 0o750 });
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
