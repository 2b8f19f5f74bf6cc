// `sipreel play`: a recording heard on this machine, or written out to be heard elsewhere.
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { AuditFile } from '../archive/audit-file.ts';
import { systemClock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import { wavChannel } from '../render/wav-channel.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { findRecording, withLibrary } from './local-library.ts';
import { writeOut } from './output.ts';

export const PLAY_USAGE = `sipreel play ID [--channel left|right] [-o FILE|-] [--data DIR] [--config FILE]

Plays a recording through ffplay, sox's play or aplay, whichever is there. ID may be the beginning of one.

  --channel SIDE   that side alone
  -o FILE          write the WAV there and play nothing; - is standard output`;

/** Each reads a WAV from its standard input. */
const PLAYERS = [
  { name: 'ffplay', args: ['-nodisp', '-autoexit', '-loglevel', 'error', '-i', 'pipe:0'] },
  { name: 'play', args: ['-q', '-t', 'wav', '-'] },
  { name: 'aplay', args: ['-q', '-'] },
];

export async function play(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { channel: text, output: { ...text, short: 'o' }, data: text, config: text },
  });
  const [id, ...rest] = positionals;
  const sides: (string | undefined)[] = ['left', 'right', undefined];
  if (id === undefined || rest.length > 0 || !sides.includes(values.channel)) {
    console.error(PLAY_USAGE);
    return EXIT_USAGE;
  }
  return withLibrary(values, async (local) => {
    const { document } = await findRecording(local, id);
    const player = values.output === undefined ? await findPlayer() : null;
    if (values.output === undefined && !player) {
      const names = PLAYERS.map(({ name }) => name).join(', ');
      console.error(`No player found (${names}): install one, or write the WAV to a file with -o FILE.`);
      return EXIT_FAILED;
    }
    const audio = await local.library.openFile(document.id, 'audio');
    if (!audio) throw new RecorderError('NOT_FOUND', 'It has no audio.');
    try {
      const detail = `command line${values.channel === undefined ? '' : `, ${values.channel}`}`;
      const audit = new AuditFile(local.dataDirectory, systemClock);
      await audit.write({ action: 'play', who: 'local', from: null, recordingId: document.id, detail });
      const content = contentOf(audio, values.channel);
      if (values.output !== undefined) await writeOut(values.output, content);
      else if (player && (await hear(player, content)) !== 0) return EXIT_FAILED;
      return EXIT_OK;
    } finally {
      await audio.close();
    }
  });
}

function contentOf(audio: OpenRecordingFile, side: string | undefined): AsyncIterable<Buffer> {
  if (side === undefined) return audio.read(0, audio.file.octets - 1);
  return wavChannel({ octets: audio.file.octets, read: audio.read }, side === 'left' ? 0 : 1);
}

interface Player {
  path: string;
  args: string[];
}

async function findPlayer(): Promise<Player | null> {
  for (const { name, args } of PLAYERS) {
    for (const directory of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(directory, name);
      if (directory !== '' && (await isProgram(path))) return { path, args };
    }
  }
  return null;
}

const isProgram = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Until it has been heard, or the player is ended. */
async function hear({ path, args }: Player, content: AsyncIterable<Buffer>): Promise<number> {
  const child = spawn(path, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? 1));
  });
  // A player that is stopped reads no more.
  await pipeline(Readable.from(content, { objectMode: false }), child.stdin).catch(() => {});
  return ended;
}
