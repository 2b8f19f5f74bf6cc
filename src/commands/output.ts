// Where a command puts what it gives out: a new file, never half of one, or standard output.
import { createWriteStream } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** `-` is standard output. Rejects if there is a file of that name already: it stays as it is. */
export async function writeOut(path: string, content: AsyncIterable<Buffer | string>): Promise<void> {
  if (path === '-') {
    await pipeline(content, process.stdout, { end: false }).catch(ignoreClosedPipe);
    return;
  }
  const aside = `${path}.part-${process.pid}`;
  try {
    await pipeline(content, createWriteStream(aside, { flags: 'wx', mode: 0o640 }));
    // Unlike a rename, a link takes no other file's place.
    await link(aside, path);
  } finally {
    await rm(aside, { force: true });
  }
}

/** Whoever reads our output may stop when it has enough. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
}
