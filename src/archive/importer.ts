// Recordings that somebody else made, on their way into the archive.
//
// nothing ──receive──▶ <spool>/<a random id>/audio.wav, synced ──file──▶ recordings/…, as any other
//
// A crash leaves either a spool directory without session.json and recording.json, which the next start removes, or one with a
// recording.json, which it files.
import { createHash, randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { RecordingDocument } from '../recording/document.ts';
import type { ArchiveEngine } from '../recording/engines.ts';
import type { ImportedAudio } from '../recording/import-document.ts';
import type { RecordingLibrary } from '../recording/library.ts';
import { SerialWork } from './serial-work.ts';
import { isWav, readWavFacts } from './wav-facts.ts';

export interface ImporterParts {
  archive: ArchiveEngine;
  library: RecordingLibrary;
  log: Log;
  onFiled: (filed: { directory: string; document: RecordingDocument }) => void;
}

const CODING_NAMES = { pcm: 'PCM', alaw: 'G.711 A-law', mulaw: 'G.711 µ-law', gsm: 'GSM 06.10' } as const;
/** So much tells what it is not, before all of it has been taken. */
const SIGNATURE_OCTETS = 12;

export class Importer {
  readonly #parts: ImporterParts;
  readonly #filing = new SerialWork();

  constructor(parts: ImporterParts) {
    this.#parts = parts;
  }

  begin(): ImportUpload {
    return new ImportUpload(this.#parts, this.#filing);
  }
}

/** One recording that is being handed in. Call `discard` in the end in any case. */
export class ImportUpload {
  readonly #parts: ImporterParts;
  readonly #filing: SerialWork;
  readonly #spoolId = randomUUID();
  #receiving: Promise<unknown> = Promise.resolve();
  #spooled = false;

  constructor(parts: ImporterParts, filing: SerialWork) {
    this.#parts = parts;
    this.#filing = filing;
  }

  /** Takes the content to the disk. Rejects with NOT_AUDIO, BROKEN_AUDIO, IMPORT_TOO_LARGE or STORAGE_FAILED. */
  receive(content: AsyncIterable<Buffer>, maxOctets: number): Promise<ImportedAudio> {
    const receiving = this.#receive(content, maxOctets);
    this.#receiving = receiving.catch(() => {});
    return receiving;
  }

  /** The recording that is in the archive now, and whether it was there before. `permit` is asked before it is put in. */
  file(
    document: RecordingDocument,
    permit: () => Promise<void>,
  ): Promise<{ document: RecordingDocument; isNew: boolean }> {
    const { archive, library, log, onFiled } = this.#parts;
    return this.#filing.run(document.id, async () => {
      const known = await library.get(document.id);
      if (known) return { document: known.document, isNew: false };
      await permit();
      const filed = await archive.file({ recordingId: this.#spoolId }, document).catch((error: Error) => {
        throw new RecorderError('STORAGE_FAILED', error.message, { cause: error });
      });
      this.#spooled = false;
      log.info({ recordingId: document.id, directory: filed.directory }, 'recording imported');
      onFiled(filed);
      return { document: filed.document, isNew: true };
    });
  }

  /** Nothing of what was not filed stays. Never rejects. */
  async discard(): Promise<void> {
    await this.#receiving;
    if (!this.#spooled) return;
    this.#spooled = false;
    await this.#parts.archive.discardSession(this.#spoolId).catch((error: Error) => {
      this.#parts.log.error({ err: error, spool: this.#spoolId }, 'what was left of an import could not be removed');
    });
  }

  async #receive(content: AsyncIterable<Buffer>, maxOctets: number): Promise<ImportedAudio> {
    const { audioPath } = await this.#parts.archive.createSession(this.#spoolId);
    this.#spooled = true;
    const { octets, sha256 } = await writeSynced(audioPath, content, maxOctets);
    const { coding, ...facts } = await readWavFacts(audioPath).catch((error: Error) => {
      throw new RecorderError('BROKEN_AUDIO', `${error.message}.`, { cause: error });
    });
    if (facts.durationMs === 0) throw new RecorderError('BROKEN_AUDIO', 'there are no samples in it.');
    return { octets, sha256, ...facts, coding: CODING_NAMES[coding], decodable: coding !== 'gsm' };
  }
}

async function writeSynced(
  path: string,
  content: AsyncIterable<Buffer>,
  maxOctets: number,
): Promise<{ octets: number; sha256: string }> {
  const hash = createHash('sha256');
  let octets = 0;
  let head = Buffer.alloc(0);
  const file = await storage(open(path, 'wx', 0o640));
  try {
    for await (const chunk of content) {
      octets += chunk.length;
      if (octets > maxOctets) throw new RecorderError('IMPORT_TOO_LARGE', `${maxOctets} octets are taken.`);
      if (head.length < SIGNATURE_OCTETS) {
        head = Buffer.concat([head, chunk.subarray(0, SIGNATURE_OCTETS)]);
        if (head.length >= SIGNATURE_OCTETS && !isWav(head)) throw new RecorderError('NOT_AUDIO');
      }
      hash.update(chunk);
      await storage(file.writeFile(chunk));
    }
    if (!isWav(head)) throw new RecorderError('NOT_AUDIO');
    await storage(file.sync());
  } finally {
    await file.close();
  }
  return { octets, sha256: hash.digest('hex') };
}

async function storage<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: Error) => {
    throw new RecorderError('STORAGE_FAILED', error.message, { cause: error });
  });
}
