// The bytes before the samples: RIFF or RF64 with fmt, LIST INFO and data (Microsoft RIFF 1.0; EBU Tech 3306).
import wavefile from 'wavefile';

/** From this file size on the header is RF64: RIFF sizes have 32 bits. */
export const RF64_FROM_OCTETS = 2 ** 32;
/** Body of a ds64 chunk without table; a JUNK chunk of this size keeps its place in small files. */
const DS64_OCTETS = 28;
const LONGEST_TEXT = 4096;
const UNKNOWN_SIZE = 0xffffffff;

export interface WavFormat {
  sampleRateHz: number;
  channels: number;
  /** Samples per channel in the whole file. */
  frames: number;
  /** RIFF INFO: four-letter id to text. Ids that are none and NULs in texts are left out. */
  info: Record<string, string>;
}

/**
 * A complete header; exactly frames × channels × 2 octets of samples have to follow, little-endian.
 *
 *   RIFF(size) WAVE  JUNK(28)  fmt  LIST INFO  data(size)      sizes of 32 bits
 *   RF64(-1)   WAVE  ds64(28)  fmt  LIST INFO  data(-1)        sizes in ds64
 *
 * The library builds a file without samples; it has no streaming mode, puts LIST behind the samples and writes RF64
 * without real sizes, so its chunks are put in order and the sizes filled in here.
 */
export function wavHeader(format: WavFormat, rf64FromOctets = RF64_FROM_OCTETS): Uint8Array {
  const empty = emptyFile(format);
  const dataAt = findChunk(empty, 'data');
  const list = empty.subarray(dataAt + 8);
  const header = Buffer.concat([empty.subarray(0, dataAt), list, empty.subarray(dataAt, dataAt + 8)]);
  const dataOctets = format.frames * format.channels * 2;
  const riffOctets = header.length - 8 + dataOctets;
  if (riffOctets + 8 < rf64FromOctets) {
    header.writeUInt32LE(riffOctets, 4);
    header.writeUInt32LE(dataOctets, header.length - 4);
    return header;
  }
  header.write('RF64', 0, 'latin1');
  header.writeUInt32LE(UNKNOWN_SIZE, 4);
  header.writeUInt32LE(UNKNOWN_SIZE, header.length - 4);
  const ds64At = findChunk(header, 'JUNK');
  header.write('ds64', ds64At, 'latin1');
  header.writeBigUInt64LE(BigInt(riffOctets), ds64At + 8);
  header.writeBigUInt64LE(BigInt(dataOctets), ds64At + 16);
  header.writeBigUInt64LE(BigInt(format.frames), ds64At + 24);
  header.writeUInt32LE(0, ds64At + 32);
  return header;
}

function emptyFile({ channels, sampleRateHz, info }: WavFormat): Buffer {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(channels, sampleRateHz, '16', []);
  const junk = { chunkId: 'JUNK', chunkSize: DS64_OCTETS, chunkData: new Array<number>(DS64_OCTETS).fill(0) };
  // The typings leave `junk` out; the library reads and writes it.
  Object.assign(wav, { junk });
  for (const [id, text] of Object.entries(info)) {
    const value = text.replaceAll('\0', '').slice(0, LONGEST_TEXT).toWellFormed();
    if (/^[A-Z][A-Z0-9]{3}$/.test(id) && value !== '') wav.setTag(id, value);
  }
  return Buffer.from(wav.toBuffer());
}

/** Offset of a chunk in a file whose other chunks are whole. */
function findChunk(file: Buffer, id: string): number {
  let at = 12;
  while (at + 8 <= file.length) {
    if (file.toString('latin1', at, at + 4) === id) return at;
    const octets = file.readUInt32LE(at + 4);
    at += 8 + octets + (octets % 2);
  }
  throw new Error(`the WAV library wrote no ${id} chunk`);
}
