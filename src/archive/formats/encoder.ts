// Audio in other formats, made by ffmpeg: found on the PATH, run without a shell, after everything else on this machine, bounded in
// time and size. It reads the WAV from its standard input, so that it does not matter where and how that is stored.
import { execFile, spawn } from 'node:child_process';
import { access, constants, open, rm, stat } from 'node:fs/promises';
import { setPriority, constants as system } from 'node:os';
import { delimiter, join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { RecorderError } from '../../lib/errors.ts';
import { COPY_FORMATS, type CopyFormat } from '../../recording/audio-format.ts';

export interface EncodeOrder {
  format: CopyFormat;
  channels: number;
  durationMs: number;
  /** The whole WAV. */
  wav: Readable;
}

/** Opus and MP3, for each channel. */
const BITS_PER_SECOND = 32_000;
/** Far slower than the call itself: it hangs, or nothing is left for it on this machine. */
const MOST_MS_PER_MS = 2;
const LEAST_LIMIT_MS = 600_000;
const LOOK_EVERY_MS = 1_000;
const ERROR_CHARACTERS = 300;

interface Coding {
  /** ffmpeg's name. */
  encoder: string;
  container: string;
  mostChannels: number;
  options: (channels: number) => string[];
  begins: Buffer;
  /** Octets for a second of one channel that no proper result exceeds. */
  mostOctetsPerSecond: number;
}

const bitRate = (channels: number) => ['-b:a', String(BITS_PER_SECOND * channels)];

const CODINGS: Record<CopyFormat, Coding> = {
  // 24 bits at 48 kHz, with room for what does not compress.
  flac: {
    encoder: 'flac',
    container: 'flac',
    mostChannels: 8,
    options: () => [],
    begins: Buffer.from('fLaC'),
    mostOctetsPerSecond: 160_000,
  },
  opus: {
    encoder: 'libopus',
    container: 'ogg',
    mostChannels: 8,
    options: bitRate,
    begins: Buffer.from('OggS'),
    mostOctetsPerSecond: 16_000,
  },
  mp3: {
    encoder: 'libmp3lame',
    container: 'mp3',
    mostChannels: 2,
    // Each party keeps to its side.
    options: (channels) => [...bitRate(channels), '-joint_stereo', '0'],
    begins: Buffer.from('ID3'),
    mostOctetsPerSecond: 40_000,
  },
};

export class Encoder {
  readonly #program: string;
  /** What this ffmpeg was built with. */
  readonly formats: readonly CopyFormat[];

  private constructor(program: string, formats: readonly CopyFormat[]) {
    this.#program = program;
    this.formats = formats;
  }

  /** Null if there is no ffmpeg in the directories of `path`. */
  static async find(path = process.env.PATH ?? ''): Promise<Encoder | null> {
    for (const directory of path.split(delimiter)) {
      const program = join(directory, 'ffmpeg');
      if (directory === '' || !(await isProgram(program))) continue;
      const built = await encodersOf(program);
      return new Encoder(
        program,
        COPY_FORMATS.filter((format) => built.has(CODINGS[format].encoder)),
      );
    }
    return null;
  }

  can(format: CopyFormat, channels: number): boolean {
    return this.formats.includes(format) && channels <= CODINGS[format].mostChannels;
  }

  /** Writes `path` anew, synced. Rejects with ENCODING_FAILED, or with what reading the WAV fails with; no file is left then. */
  async toFile(order: EncodeOrder, path: string, signal?: AbortSignal): Promise<void> {
    const { begins, mostOctetsPerSecond } = CODINGS[order.format];
    const mostOctets = (order.durationMs / 1000 + 60) * order.channels * mostOctetsPerSecond;
    const run = this.#run(order, `file:${path}`, signal);
    const watch = setInterval(async () => {
      const { size } = await stat(path).catch(() => ({ size: 0 }));
      if (size > mostOctets) run.stop(`its result is larger than ${mostOctets} octets`);
    }, LOOK_EVERY_MS);
    try {
      await run.done;
      const file = await open(path, 'r+');
      try {
        const { buffer } = await file.read(Buffer.alloc(begins.length), 0, begins.length, 0);
        if (!buffer.equals(begins)) throw new RecorderError('ENCODING_FAILED', `That is no ${order.format} file.`);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      clearInterval(watch);
    }
  }

  /** As it is made: a header in it cannot know the length. Fails with ENCODING_FAILED; destroy it to give it up. */
  toStream(order: EncodeOrder): Readable {
    const abort = new AbortController();
    const stream = new PassThrough();
    const run = this.#run(order, 'pipe:1', abort.signal, stream);
    stream.once('close', () => abort.abort());
    run.done.then(
      () => stream.end(),
      (error) => stream.destroy(error as Error),
    );
    return stream;
  }

  #run({ format, channels, durationMs, wav }: EncodeOrder, target: string, signal?: AbortSignal, into?: Writable) {
    const { encoder, container, options } = CODINGS[format];
    const child = spawn(
      this.#program,
      [
        ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-f', 'wav', '-i', 'pipe:0', '-map', '0:a:0'],
        ...['-threads', '1', '-c:a', encoder, ...options(channels), '-f', container, target],
      ],
      { stdio: ['pipe', into ? 'pipe' : 'ignore', 'pipe'], env: { PATH: '/usr/bin:/bin' } },
    );
    let problem: string | null = null;
    const stop = (reason: string) => {
      problem ??= reason;
      child.kill('SIGKILL');
    };
    const limitMs = Math.max(LEAST_LIMIT_MS, MOST_MS_PER_MS * durationMs);
    const limit = setTimeout(() => stop(`it was not ready within ${Math.round(limitMs / 1000)} s`), limitMs);
    const givenUp = () => stop('it was given up');
    if (signal?.aborted) givenUp();
    signal?.addEventListener('abort', givenUp);
    if (child.pid !== undefined) lowerPriority(child.pid);
    let words = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(0, ERROR_CHARACTERS);
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    const fed = pipeline(wav, child.stdin!).catch((error: NodeJS.ErrnoException) => {
      // An encoder that has ended says why itself; what cannot be read is the reader's own error.
      if (error.code === 'EPIPE' || problem !== null) return;
      child.kill('SIGKILL');
      throw error;
    });
    const drained = into ? pipeline(child.stdout!, into, { end: false }).catch(() => child.kill('SIGKILL')) : null;
    const done = (async () => {
      try {
        const [code] = await Promise.all([ended, fed, drained]);
        if (problem !== null) throw new RecorderError('ENCODING_FAILED', `For ${format} ${problem}.`);
        if (code !== 0) throw new RecorderError('ENCODING_FAILED', printable(words) || `It ended with ${code}.`);
      } finally {
        clearTimeout(limit);
        signal?.removeEventListener('abort', givenUp);
      }
    })();
    return { done, stop };
  }
}

const printable = (text: string) => text.replace(/\p{C}+/gu, ' ').trim();

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, system.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}

async function encodersOf(program: string): Promise<Set<string>> {
  const { stdout } = await promisify(execFile)(program, ['-hide_banner', '-encoders'], { timeout: 10_000 });
  return new Set([...stdout.matchAll(/^ A\S+ (\S+)/gm)].map(([, name = '']) => name));
}

const isProgram = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
