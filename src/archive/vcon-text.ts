// A recording's vCon as text, however large its audio is: the base64url of an inline body is made while it is read.
import { createHash } from 'node:crypto';
import type { RecordingDocument } from '../recording/document.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import { vconOf } from '../recording/vcon.ts';

/** Stands for the body until it is written; no text of a recording can be this. */
const BODY_PLACE = '\0body\0';

/** The audio is referred to at `url`, with its SHA-512: it is read for that. Null if there is none. */
export async function vconWithUrl(
  document: RecordingDocument,
  audio: OpenRecordingFile,
  url: string,
): Promise<string | null> {
  const hash = createHash('sha512');
  if (audio.file.octets > 0) for await (const chunk of audio.read(0, audio.file.octets - 1)) hash.update(chunk);
  const vcon = vconOf(document, { url, content_hash: `sha512-${hash.digest('base64url')}` });
  return vcon && `${JSON.stringify(vcon)}\n`;
}

/** The audio is in it. Null if there is none. */
export function vconInline(document: RecordingDocument, audio: OpenRecordingFile): AsyncIterable<string> | null {
  const vcon = vconOf(document, { body: BODY_PLACE, encoding: 'base64url' });
  return vcon && inline(JSON.stringify(vcon), audio);
}

async function* inline(text: string, audio: OpenRecordingFile): AsyncGenerator<string> {
  const place = JSON.stringify(BODY_PLACE).slice(1, -1);
  const at = text.indexOf(`"body":"${place}"`) + '"body":"'.length;
  yield text.slice(0, at);
  let rest: Buffer = Buffer.alloc(0);
  if (audio.file.octets > 0) {
    for await (const chunk of audio.read(0, audio.file.octets - 1)) {
      const octets: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      // Three octets are four letters: what is not a multiple waits for the next piece.
      const whole = octets.length - (octets.length % 3);
      yield octets.toString('base64url', 0, whole);
      rest = octets.subarray(whole);
    }
  }
  yield rest.toString('base64url');
  yield `${text.slice(at + place.length)}\n`;
}
