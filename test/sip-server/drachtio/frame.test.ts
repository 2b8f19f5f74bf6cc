// Frames, however the stream is cut.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader } from '../../../src/sip-server/drachtio/frame.ts';

interface Seen {
  frames: string[];
  oversize: [number, string][];
  broken: number;
}

function reading(maxFrameBytes?: number) {
  const seen: Seen = { frames: [], oversize: [], broken: 0 };
  const reader = new FrameReader(
    {
      onFrame: (payload) => seen.frames.push(payload.toString()),
      onOversize: (length, head) => seen.oversize.push([length, head.toString()]),
      onBadPrefix: () => seen.broken++,
    },
    maxFrameBytes,
  );
  return { reader, seen };
}

// Captured from drachtio-server 0.9.10 and drachtio-srf 5.0.29.
const AUTHENTICATE = '56#6bbf5f92-ed62-4daa-a7f3-77a6dbc13452|authenticate|cymru|';
const ROUTE = '50#ecb978d9-03a2-4200-ad78-403ba5936290|route|options';
const MESSAGE =
  '192#ca42aaa8-ad1d-429b-b6d3-505aaed38043|sip||f7f09ff33f9c@127.0.0.1;from-tag=e911c760\r\n' +
  'MESSAGE sip:placeholder SIP/2.0\r\nContent-Type: text/plain;charset=utf-8\r\nContent-Length: 9\r\n\r\nJürgen 中文';

const payloadOf = (frame: string) => frame.slice(frame.indexOf('#') + 1);

test('encoding counts bytes', () => {
  for (const frame of [AUTHENTICATE, ROUTE, MESSAGE]) {
    const payload = payloadOf(frame);
    expect(encodeFrame(payload).toString()).toBe(frame);
    expect(encodeFrame(payload.slice(0, 20), Buffer.from(payload.slice(20))).toString()).toBe(frame);
  }
});

test('a stream cut in two at every byte, and into single bytes', () => {
  const stream = Buffer.from(AUTHENTICATE + ROUTE + MESSAGE);
  const expected = [AUTHENTICATE, ROUTE, MESSAGE].map(payloadOf);
  for (let cut = 0; cut <= stream.length; cut++) {
    const { reader, seen } = reading();
    reader.push(stream.subarray(0, cut));
    reader.push(stream.subarray(cut));
    expect(seen).toEqual({ frames: expected, oversize: [], broken: 0 });
  }
  const { reader, seen } = reading();
  for (const byte of stream) reader.push(Buffer.of(byte));
  expect(seen.frames).toEqual(expected);
});

test('any payloads, cut anywhere', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 6 }),
      fc.array(fc.nat(300)),
      (payloads, cuts) => {
        const stream = Buffer.concat(payloads.map((payload) => encodeFrame(payload)));
        const { reader, seen } = reading();
        let at = 0;
        for (const cut of cuts) {
          reader.push(stream.subarray(at, at + cut));
          at += cut;
        }
        reader.push(stream.subarray(at));
        expect(seen).toEqual({ frames: payloads, oversize: [], broken: 0 });
      },
    ),
    { numRuns: 300 },
  );
});

test('a megabyte in small pieces', () => {
  const payload = 'x'.repeat(1_000_000);
  const stream = encodeFrame(payload);
  const { reader, seen } = reading();
  for (let at = 0; at < stream.length; at += 1_000) reader.push(stream.subarray(at, at + 1_000));
  expect(seen.frames[0] === payload).toBe(true);
});

test('an empty payload is a frame', () => {
  const { reader, seen } = reading();
  reader.push(Buffer.from('0#3#abc'));
  expect(seen.frames).toEqual(['', 'abc']);
});

describe('bad prefixes end the reading', () => {
  test.each(['#abc', 'x3#abc', ' 3#abc', '-3#abc', '3 #abc', '00000000001#', '{"a":1}'])('%s', (bytes) => {
    const { reader, seen } = reading();
    reader.push(Buffer.from(`3#abc${bytes}`));
    reader.push(Buffer.from('3#def'));
    expect(seen).toEqual({ frames: ['abc'], oversize: [], broken: 1 });
  });
});

describe('frames above the limit', () => {
  test('are thrown away once told, the next one is read; at every cut', () => {
    const long = 'id-1|sip||\r\n'.padEnd(300, 'y');
    const stream = Buffer.from(`${encodeFrame('before')}${encodeFrame(long)}${encodeFrame('after')}`);
    for (let cut = 0; cut <= stream.length; cut++) {
      const { reader, seen } = reading(100);
      reader.push(stream.subarray(0, cut));
      reader.push(stream.subarray(cut));
      expect(seen).toEqual({ frames: ['before', 'after'], oversize: [[300, long.slice(0, 128)]], broken: 0 });
    }
  });

  test('also when shorter than what is kept of them', () => {
    const { reader, seen } = reading(10);
    reader.push(Buffer.from(`${encodeFrame('x'.repeat(11))}${encodeFrame('x'.repeat(10))}`));
    expect(seen).toEqual({ frames: ['x'.repeat(10)], oversize: [[11, 'x'.repeat(11)]], broken: 0 });
  });
});

test('nothing is read after stop(), not even the rest of the chunk', () => {
  const frames: string[] = [];
  const reader: FrameReader = new FrameReader({
    onFrame: (payload) => {
      frames.push(payload.toString());
      reader.stop();
    },
    onOversize: () => {},
    onBadPrefix: () => {},
  });
  reader.push(Buffer.from('1#a1#b'));
  reader.push(Buffer.from('1#c'));
  expect(frames).toEqual(['a']);
});
