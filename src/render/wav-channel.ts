// One channel of a WAV as a WAV of its own, in the coding that it has. For samples of a fixed size: PCM and G.711.
import type { WavSource } from './wav-peaks.ts';

/** The chunks before the samples are within this. */
const HEAD_OCTETS = 1 << 16;
const MAX_SIZE = 0xffff_ff00;
const EXTENSIBLE = 0xfffe;
const FIXED_SIZE = new Set([1, 6, 7]);

/** Throws a sentence, before the first octet, if it has no such channel or cannot be taken apart. */
export async function* wavChannel(source: WavSource, channel: number): AsyncGenerator<Buffer> {
  const head = Buffer.concat(await source.read(0, Math.min(HEAD_OCTETS, source.octets) - 1).toArray());
  const { format, channels, dataAt, dataOctets } = layoutOf(head, source.octets);
  if (channel >= channels) throw new Error(`the WAV has ${channels === 1 ? 'one channel' : `${channels} channels`}`);
  const sampleOctets = format.readUInt16LE(14) / 8;
  const frameOctets = sampleOctets * channels;
  const frames = Math.floor(dataOctets / frameOctets);
  if (frames * sampleOctets > MAX_SIZE) throw new Error('one channel of the WAV is too long for a WAV of its own');
  yield headerOf(format, sampleOctets, frames);
  if (frames === 0) return;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source.read(dataAt, dataAt + frames * frameOctets - 1)) {
    const octets: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const whole = Math.floor(octets.length / frameOctets);
    const own = Buffer.allocUnsafe(whole * sampleOctets);
    for (let i = 0; i < whole; i++) {
      const at = i * frameOctets + channel * sampleOctets;
      octets.copy(own, i * sampleOctets, at, at + sampleOctets);
    }
    yield own;
    rest = octets.subarray(whole * frameOctets);
  }
  if ((frames * sampleOctets) % 2 === 1) yield Buffer.alloc(1);
}

function layoutOf(head: Buffer, fileOctets: number) {
  let format: Buffer | null = null;
  let longDataOctets = 0;
  for (let at = 12; at + 8 <= head.length; ) {
    const id = head.toString('latin1', at, at + 4);
    const octets = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'ds64' && body + 16 <= head.length) longDataOctets = Number(head.readBigUInt64LE(body + 8));
    if (id === 'fmt ' && body + 16 <= head.length) {
      format = Buffer.from(head.subarray(body, body + 16));
      if (format.readUInt16LE(0) === EXTENSIBLE && body + 26 <= head.length) head.copy(format, 0, body + 24, body + 26);
    }
    if (id === 'data' && format) {
      const channels = format.readUInt16LE(2);
      if (!FIXED_SIZE.has(format.readUInt16LE(0)) || channels === 0 || format.readUInt16LE(14) % 8 !== 0) break;
      const stated = octets === 0xffffffff ? longDataOctets : octets;
      return { format, channels, dataAt: body, dataOctets: Math.min(stated, fileOctets - body) };
    }
    at = body + octets + (octets % 2);
  }
  throw new Error('the WAV cannot be taken apart into its channels');
}

function headerOf(format: Buffer, sampleOctets: number, frames: number): Buffer {
  const dataOctets = frames * sampleOctets;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + dataOctets + (dataOctets % 2), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  format.copy(header, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(format.readUInt32LE(4) * sampleOctets, 28);
  header.writeUInt16LE(sampleOctets, 32);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataOctets, 40);
  return header;
}
