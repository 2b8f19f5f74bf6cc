// The bytes of the file: RIFF and RF64, checked field by field and by the reader that others use.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import wavefile from 'wavefile';
import { WavFile } from '../../src/render/wav-file.ts';
import { type WavFormat, wavHeader } from '../../src/render/wav-header.ts';
import { parseWav, readWavPart } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const STEREO: WavFormat = { sampleRateHz: 8000, channels: 2, frames: 3, info: {} };

async function write(format: WavFormat, samples: Int16Array, rf64FromOctets?: number) {
  const path = join(await temporaryDirectory(), 'audio.wav');
  const file = new WavFile(path, format, rf64FromOctets);
  file.write(samples);
  return { path, ...file.finish() };
}

describe('header', () => {
  test('RIFF, octet by octet', () => {
    const header = wavHeader({ ...STEREO, info: { ICMT: 'hi' } });
    const expected = Buffer.concat([
      Buffer.from('RIFF'),
      le32(header.length + 12 - 8),
      Buffer.from('WAVEJUNK'),
      le32(28),
      Buffer.alloc(28),
      Buffer.from('fmt '),
      le32(16),
      le16(1),
      le16(2),
      le32(8000),
      le32(32_000),
      le16(4),
      le16(16),
      Buffer.from('LIST'),
      le32(16),
      Buffer.from('INFOICMT'),
      le32(3),
      Buffer.from('hi\0\0'),
      Buffer.from('data'),
      le32(12),
    ]);
    expect(Buffer.from(header).toString('latin1')).toBe(expected.toString('latin1'));
  });

  test('EBU Tech 3306: from the threshold on RF64, with the sizes in ds64 and nothing else moved', () => {
    const riff = wavHeader(STEREO);
    const rf64 = Buffer.from(wavHeader(STEREO, riff.length + 12));
    expect(Buffer.from(wavHeader(STEREO, riff.length + 13)).equals(riff)).toBe(true);
    expect(rf64.length).toBe(riff.length);
    const expected = Buffer.concat([
      Buffer.from('RF64'),
      le32(0xffffffff),
      Buffer.from('WAVEds64'),
      le32(28),
      le64(riff.length + 12 - 8),
      le64(12),
      le64(3),
      le32(0),
      Buffer.from(riff.subarray(48, riff.length - 4)),
      le32(0xffffffff),
    ]);
    expect(rf64.toString('latin1')).toBe(expected.toString('latin1'));
  });

  test('beyond 4 GiB the real sizes stand in ds64', () => {
    const header = Buffer.from(wavHeader({ sampleRateHz: 48_000, channels: 2, frames: 48_000 * 86_400, info: {} }));
    expect(header.toString('latin1', 0, 4)).toBe('RF64');
    expect(header.readBigUInt64LE(28)).toBe(48_000n * 86_400n * 4n);
    expect(header.readBigUInt64LE(20)).toBe(48_000n * 86_400n * 4n + BigInt(header.length - 8));
  });

  test('texts are UTF-8; ids that are none, NULs and endless texts are not taken over', () => {
    const info = {
      INAM: 'Jürgen 王 "x" & <y>',
      IART: 'a\0b',
      bad: 'no',
      'I-1!': 'no',
      ICMT: 'x'.repeat(100_000),
      ISFT: '',
      IKEY: '\ud800',
    };
    const samples = Buffer.alloc(12);
    const heard = parseWav(Buffer.concat([wavHeader({ ...STEREO, info }), samples]));
    expect(heard.info).toEqual({ INAM: 'Jürgen 王 "x" & <y>', IART: 'ab', ICMT: 'x'.repeat(4096), IKEY: '\ufffd' });
  });

  test.each([1, 2, 3, 6])('%i channels', (channels) => {
    const samples = Buffer.alloc(3 * channels * 2);
    const heard = parseWav(Buffer.concat([wavHeader({ ...STEREO, channels }), samples]));
    expect([heard.channels.length, heard.frames]).toEqual([channels, 3]);
  });
});

describe('file', () => {
  const samples = Int16Array.from([1, -1, 256, -256, 32_767, -32_768]);

  test('another reader finds format, tags and samples', async () => {
    const { path } = await write({ ...STEREO, info: { INAM: 'Alice' } }, samples);
    const wav = new wavefile.WaveFile(readFileSync(path));
    expect(wav.fmt).toMatchObject({ numChannels: 2, sampleRate: 8000, bitsPerSample: 16 });
    // It reads a little beyond a LIST chunk that is not the file's last.
    expect(wav.listTags()).toMatchObject({ INAM: 'Alice' });
    expect([...(wav.getSamples(true, Int16Array as never) as unknown as Int16Array)]).toEqual([...samples]);
  });

  test.each([undefined, 50])('size and digest are those of the file (RF64 from %s octets)', async (rf64FromOctets) => {
    const { path, octets, sha256 } = await write(STEREO, samples, rf64FromOctets);
    const file = readFileSync(path);
    expect({ octets, sha256 }).toEqual({
      octets: file.length,
      sha256: createHash('sha256').update(file).digest('hex'),
    });
    const heard = parseWav(file);
    expect(heard.container).toBe(rf64FromOctets === undefined ? 'RIFF' : 'RF64');
    expect(heard.channels.map((channel) => [...channel])).toEqual([
      [1, 256, 32_767],
      [-1, -256, -32_768],
    ]);
    expect([...readWavPart(path, 1, 0, 1)]).toEqual([-1, -256, -32_768]);
  });

  test('more samples than a chunk of the writer', async () => {
    const frames = 700_000;
    const long = Int16Array.from({ length: frames * 2 }, (_, i) => i);
    const { path } = await write({ ...STEREO, frames }, long);
    const [left, right] = parseWav(readFileSync(path)).channels;
    expect(left!.every((sample, i) => sample === ((i * 2) << 16) >> 16)).toBe(true);
    expect(right!.every((sample, i) => sample === ((i * 2 + 1) << 16) >> 16)).toBe(true);
  });

  test('until it is finished only a part file exists; a discarded one leaves nothing', async () => {
    const path = join(await temporaryDirectory(), 'audio.wav');
    writeFileSync(`${path}.part`, 'left by an interrupted render, longer than what comes now'.repeat(10));
    const file = new WavFile(path, STEREO);
    file.write(samples);
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, true]);
    file.discard();
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, false]);
  });

  test('a length that is not the header’s is an error, never a broken file', async () => {
    const path = join(await temporaryDirectory(), 'audio.wav');
    const file = new WavFile(path, STEREO);
    file.write(samples.subarray(2));
    expect(() => file.finish()).toThrow('octets where its header says');
    file.discard();
    expect(existsSync(path)).toBe(false);
  });
});

function le16(value: number): Buffer {
  return Buffer.of(value & 255, value >> 8);
}

function le32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(value);
  return octets;
}

function le64(value: number): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64LE(BigInt(value));
  return octets;
}
