// `sipreel export`: recordings handed on, as audio, recording.json or vCon.
import { mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { AuditFile } from '../archive/audit-file.ts';
import { Encoder } from '../archive/formats/encoder.ts';
import { vconInline } from '../archive/vcon-text.ts';
import { systemClock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { COPY_FORMATS } from '../recording/audio-format.ts';
import type { LibraryRecording } from '../recording/library.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { findRecording, type LocalLibrary, withLibrary } from './local-library.ts';
import { writeOut } from './output.ts';

export const EXPORT_USAGE = `sipreel export ID… --to DIR|- [--format FORMAT] [--json] [--data DIR] [--config FILE]

Writes recordings into a directory, under their own names; - is standard output, for one. Files that are there stay as
they are. An ID may be the beginning of one.

  --format FORMAT   wav (default); flac, opus or mp3 (made with ffmpeg if there is no such copy); json (recording.json);
                    vcon (draft-ietf-vcon-vcon-core, with the audio inside)
  --json            one line per file: {"id", "file", "octets"}`;

const EXTENSIONS = { wav: '.wav', flac: '.flac', opus: '.opus', mp3: '.mp3', json: '.json', vcon: '.vcon.json' };
type Format = keyof typeof EXTENSIONS;

export async function exportRecordings(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const { values, positionals: ids } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      to: text,
      format: { ...text, default: 'wav' },
      json: { type: 'boolean', default: false },
      data: text,
      config: text,
    },
  });
  const { to, format } = values;
  const wrong =
    ids.length === 0 || to === undefined || !Object.hasOwn(EXTENSIONS, format) || (to === '-' && ids.length > 1);
  if (wrong) {
    console.error(EXPORT_USAGE);
    return EXIT_USAGE;
  }
  if (to !== '-') await mkdir(to, { recursive: true, mode: 0o750 });
  return withLibrary(values, async (local) => {
    let code: number = EXIT_OK;
    for (const id of ids) {
      try {
        const recording = await findRecording(local, id);
        const path = to === '-' ? '-' : join(to, nameOf(recording) + EXTENSIONS[format as Format]);
        await exportOne(local, recording, format as Format, path);
        if (path !== '-') await tell(recording, path, values.json);
      } catch (error) {
        // The others are exported all the same.
        console.error(`${id}: ${(error as Error).message}`);
        code = EXIT_FAILED;
      }
    }
    return code;
  });
}

/** As its directory is called: cleaned when it was filed. */
const nameOf = ({ directory, document }: LibraryRecording) => (directory ? basename(directory) : document.id);

async function tell({ document }: LibraryRecording, file: string, json: boolean): Promise<void> {
  const { size: octets } = await stat(file);
  console.log(json ? JSON.stringify({ id: document.id, file, octets }) : file);
}

async function exportOne(
  { library, dataDirectory }: LocalLibrary,
  { document }: LibraryRecording,
  format: Format,
  path: string,
): Promise<void> {
  const copyFormat = COPY_FORMATS.find((one) => one === format);
  const copy = copyFormat ? await library.openFile(document.id, copyFormat) : null;
  const audio = copy ?? (format === 'json' ? null : await library.openFile(document.id, 'wav'));
  try {
    const content = await contentOf();
    const audit = new AuditFile(dataDirectory, systemClock);
    await audit.write({ action: 'export', who: 'local', from: null, recordingId: document.id, detail: format });
    await writeOut(path, content);
  } finally {
    await audio?.close();
  }

  async function contentOf(): Promise<AsyncIterable<Buffer | string>> {
    if (format === 'json') return lines(`${JSON.stringify(document, null, 2)}\n`);
    const found = audio && (format === 'vcon' ? vconInline(document, audio) : audio.read(0, audio.file.octets - 1));
    if (!found || !document.audio) throw new RecorderError('NOT_FOUND', 'It has no audio.');
    if (copy || !copyFormat) return found;
    const encoder = await Encoder.find();
    const { channels } = document.audio;
    if (!encoder?.can(copyFormat, channels)) throw new RecorderError('ENCODER_MISSING', `Wanted: ${format}.`);
    const { durationMs } = document.times;
    return encoder.toStream({ format: copyFormat, channels, durationMs, wav: found as Readable });
  }
}

async function* lines(text: string): AsyncGenerator<string> {
  yield text;
}
