// What a WAV file says about itself, from its first octets (Microsoft RIFF 1.0; RF64: EBU Tech 3306).
import { open } from 'node:fs/promises';

export interface WavFacts {
  sampleRateHz: number;
  channels: number;
  durationMs: number;
}

/** The chunks before the samples are far smaller. */
const HEAD_OCTETS = 64 << 10;
const UNKNOWN_SIZE = 0xffffffff;

/** Throws a sentence if it is no 16-bit PCM file, or if its sizes do not fit the file. */
export async function readWavFacts(path: string): Promise<WavFacts> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(HEAD_OCTETS, size)), 0, null, 0);
    return wavFacts(buffer.subarray(0, bytesRead), size);
  } finally {
    await file.close();
  }
}

/** @param head the file's beginning, up to the samples at least; @param fileOctets the length of the whole file */
export function wavFacts(head: Buffer, fileOctets: number): WavFacts {
  const container = head.toString('latin1', 0, 4);
  if ((container !== 'RIFF' && container !== 'RF64') || head.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error('it is no WAV file');
  }
  let riffOctets = head.readUInt32LE(4);
  let longDataOctets = -1;
  let format: { coding: number; channels: number; sampleRateHz: number; bits: number } | null = null;
  for (let at = 12; at + 8 <= head.length; ) {
    const id = head.toString('latin1', at, at + 4);
    const octets = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'ds64' && body + 16 <= head.length) {
      riffOctets = Number(head.readBigUInt64LE(body));
      longDataOctets = Number(head.readBigUInt64LE(body + 8));
    } else if (id === 'fmt ' && body + 16 <= head.length) {
      format = {
        coding: head.readUInt16LE(body),
        channels: head.readUInt16LE(body + 2),
        sampleRateHz: head.readUInt32LE(body + 4),
        bits: head.readUInt16LE(body + 14),
      };
    } else if (id === 'data') {
      const dataOctets = octets === UNKNOWN_SIZE && longDataOctets >= 0 ? longDataOctets : octets;
      return checked(format, { riffOctets, dataOctets, dataAt: body, fileOctets });
    }
    at = body + octets + (octets % 2);
  }
  throw new Error('the WAV file has no samples: its data chunk is missing');
}

function checked(
  format: { coding: number; channels: number; sampleRateHz: number; bits: number } | null,
  sizes: { riffOctets: number; dataOctets: number; dataAt: number; fileOctets: number },
): WavFacts {
  if (!format || format.channels === 0 || format.sampleRateHz === 0)
    throw new Error('the WAV file has no format chunk');
  const { coding, channels, sampleRateHz, bits } = format;
  if ((coding !== 1 && coding !== 0xfffe) || bits !== 16) throw new Error(`the WAV file is not 16-bit PCM`);
  const { riffOctets, dataOctets, dataAt, fileOctets } = sizes;
  if (riffOctets + 8 !== fileOctets) {
    throw new Error(`the WAV header says ${riffOctets + 8} octets, the file has ${fileOctets}`);
  }
  if (dataAt + dataOctets > fileOctets) throw new Error('the samples of the WAV file reach beyond its end');
  if (dataOctets % (2 * channels) !== 0) throw new Error('the samples of the WAV file end inside a frame');
  return { sampleRateHz, channels, durationMs: (dataOctets / (2 * channels) / sampleRateHz) * 1000 };
}
