// A WAV without an end: header first, then samples as they come. Players and browsers take it as it is.

const CHANNELS = 2;
const HEADER_OCTETS = 44;
/** "Until it ends", as streaming encoders write it. */
const UNKNOWN = 0xffff_ffff;

/** RIFF WAVE header (PCM, 16 bits, two channels) for a length that nobody knows yet. */
export function endlessWavHeader(sampleRateHz: number): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(UNKNOWN, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(CHANNELS, 22);
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * CHANNELS * 2, 28);
  header.writeUInt16LE(CHANNELS * 2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(UNKNOWN, 40);
  return header;
}

/** The octets of the samples themselves; little-endian on all machines that we know. */
export function octetsOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
