// What a WAV file says about itself, from its first octets (Microsoft RIFF 1.0; RF64: EBU Tech 3306).
import { open } from 'node:fs/promises';

export interface WavFacts {
  /** `gsm`: GSM 06.10 as Microsoft packs it, two frames in 65 octets; nothing here decodes it. */
  coding: WavCoding;
  sampleRateHz: number;
  channels: number;
  durationMs: number;
}

export type WavCoding = 'pcm' | 'alaw' | 'mulaw' | 'gsm';

/** The chunks before the samples are far smaller. */
export const WAV_HEAD_OCTETS = 64 << 10;
const UNKNOWN_SIZE = 0xffffffff;

const EXTENSIBLE = 0xfffe;
const CODINGS: Record<number, WavCoding> = { 1: 'pcm', 6: 'alaw', 7: 'mulaw', 49: 'gsm' };
/** Named in refusals, so that somebody knows what to convert. */
const FOREIGN_CODINGS: Record<number, string> = {
  2: 'Microsoft ADPCM',
  3: 'floating point',
  17: 'IMA ADPCM',
  80: 'MPEG',
  85: 'MP3',
  8192: 'AC-3',
};
/** GSM in WAV: 320 samples in 65 octets, one channel. */
const GSM_BLOCK = { octets: 65, samples: 320 };

/** Whether these first octets are a WAV file's; everything else about it may still be wrong. */
export function isWav(head: Buffer): boolean {
  const container = head.toString('latin1', 0, 4);
  return (container === 'RIFF' || container === 'RF64') && head.toString('latin1', 8, 12) === 'WAVE';
}

/** As `wavFacts`, of a file. */
export async function readWavFacts(path: string): Promise<WavFacts> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(WAV_HEAD_OCTETS, size)), 0, null, 0);
    return wavFacts(buffer.subarray(0, bytesRead), size);
  } finally {
    await file.close();
  }
}

/**
 * Throws a sentence if it is no WAV file, if its samples are coded otherwise, or if its sizes do not fit the file.
 * @param head the file's beginning, up to the samples at least; @param fileOctets the length of the whole file
 */
export function wavFacts(head: Buffer, fileOctets: number): WavFacts {
  if (!isWav(head)) throw new Error('it is no WAV file');
  let riffOctets = head.readUInt32LE(4);
  let longDataOctets = -1;
  let format: WavFormat | null = null;
  for (let at = 12; at + 8 <= head.length; ) {
    const id = head.toString('latin1', at, at + 4);
    const octets = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'ds64' && body + 16 <= head.length) {
      riffOctets = Number(head.readBigUInt64LE(body));
      longDataOctets = Number(head.readBigUInt64LE(body + 8));
    } else if (id === 'fmt ' && body + 16 <= head.length) {
      format = readFormat(head, body, octets);
    } else if (id === 'data') {
      const dataOctets = octets === UNKNOWN_SIZE && longDataOctets >= 0 ? longDataOctets : octets;
      return checked(format, { riffOctets, dataOctets, dataAt: body, fileOctets });
    }
    at = body + octets + (octets % 2);
  }
  throw new Error('the WAV file has no samples: its data chunk is missing');
}

interface WavFormat {
  tag: number;
  channels: number;
  sampleRateHz: number;
  blockOctets: number;
  bits: number;
}

function readFormat(head: Buffer, at: number, octets: number): WavFormat {
  const tag = head.readUInt16LE(at);
  return {
    // The extensible format has the real one at the beginning of its sub-format's GUID.
    tag: tag === EXTENSIBLE && octets >= 40 && at + 26 <= head.length ? head.readUInt16LE(at + 24) : tag,
    channels: head.readUInt16LE(at + 2),
    sampleRateHz: head.readUInt32LE(at + 4),
    blockOctets: head.readUInt16LE(at + 12),
    bits: head.readUInt16LE(at + 14),
  };
}

function checked(
  format: WavFormat | null,
  sizes: { riffOctets: number; dataOctets: number; dataAt: number; fileOctets: number },
): WavFacts {
  if (!format || format.channels === 0 || format.sampleRateHz === 0)
    throw new Error('the WAV file has no format chunk');
  const { coding, block } = codingOf(format);
  const { channels, sampleRateHz } = format;
  const { riffOctets, dataOctets, dataAt, fileOctets } = sizes;
  // Some writers do not count the octet that fills up an odd number of samples.
  const padding = fileOctets - (riffOctets + 8);
  if (padding !== 0 && !(padding === 1 && dataOctets % 2 === 1)) {
    throw new Error(`the WAV header says ${riffOctets + 8} octets, the file has ${fileOctets}`);
  }
  if (dataAt + dataOctets > fileOctets) throw new Error('the samples of the WAV file reach beyond its end');
  if (dataOctets % block.octets !== 0) throw new Error('the samples of the WAV file end inside a frame');
  const samples = (dataOctets / block.octets) * block.samples;
  return { coding, sampleRateHz, channels, durationMs: (samples / sampleRateHz) * 1000 };
}

/** How its samples are coded, and the smallest piece that they come in. */
function codingOf({ tag, bits, channels, blockOctets }: WavFormat) {
  const coding = CODINGS[tag];
  if (coding === undefined) {
    throw new Error(`the WAV file's samples are ${FOREIGN_CODINGS[tag] ?? `coded by number ${tag}`}, not PCM or G.711`);
  }
  if (coding === 'gsm') {
    if (channels !== 1 || blockOctets !== GSM_BLOCK.octets) throw new Error("the WAV file's GSM has wrong frames");
    return { coding, block: GSM_BLOCK };
  }
  const allowed = coding === 'pcm' ? [8, 16, 24, 32] : [8];
  if (!allowed.includes(bits)) throw new Error(`the WAV file has ${bits} bits per sample, not ${allowed.join(', ')}`);
  const octets = (bits / 8) * channels;
  if (blockOctets !== octets) throw new Error("the WAV file's frames do not have the size of its samples");
  return { coding, block: { octets, samples: 1 } };
}
