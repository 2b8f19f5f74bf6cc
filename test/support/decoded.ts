// Audio in any format as samples, through ffmpeg. Loudly skipped where there is none.
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Heard, parseWav } from './listen.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export function ffmpegIsInstalled(): boolean {
  const installed = spawnSync('ffmpeg', ['-version']).status === 0;
  if (!installed) console.warn('SKIPPED: ffmpeg is not installed (Debian: ffmpeg)');
  return installed;
}

/** At 8 kHz. */
export async function decoded(path: string): Promise<Heard> {
  const wav = join(await temporaryDirectory(), 'decoded.wav');
  const options = ['-loglevel', 'error', '-i', path, '-c:a', 'pcm_s16le', '-ar', '8000', wav];
  await promisify(execFile)('ffmpeg', options);
  return parseWav(await readFile(wav));
}
