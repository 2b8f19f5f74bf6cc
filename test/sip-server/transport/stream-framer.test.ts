import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_MESSAGE_LIMITS } from '../../../src/sip-server/message/parse.ts';
import { StreamFramer } from '../../../src/sip-server/transport/stream-framer.ts';
import { cpuTime } from '../../support/cpu-time.ts';
import { fixture, requestBytes } from '../support/messages.ts';

const LIMITS = { headBytes: 700, headerLines: 20, bodyBytes: 5_000 };

function show(framer: StreamFramer): string[] {
  const frames: string[] = [];
  for (let frame = framer.next(); frame; frame = framer.next()) {
    if (frame.kind === 'message')
      frames.push(`${frame.lengthIsMissing ? 'no-length ' : ''}${frame.bytes.toString('latin1')}`);
    else frames.push(frame.kind === 'ping' ? 'ping' : `broken ${frame.reason} ${frame.bytes.length}`);
  }
  return frames;
}

/** The frames of a stream that arrives in the given pieces. */
function framesOf(pieces: readonly Buffer[], limits = LIMITS): string[] {
  const framer = new StreamFramer(limits);
  return pieces.flatMap((piece) => {
    framer.push(piece);
    return show(framer);
  });
}

const INVITE = fixture('opensips-tcp-invite');
const BYE = requestBytes({ method: 'BYE' });
const COMPACT = Buffer.from(
  requestBytes({ body: 'a\r\n\r\nb' }).toString().replace('Content-Length: 6', 'Subject: x\r\n l: 99\r\nL :\r\n 6'),
);
const BARE = Buffer.from(requestBytes({ body: 'abc' }).toString().replaceAll('\r\n', '\n'));
const NO_LENGTH = Buffer.from('OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n');

const STREAM = Buffer.concat([
  Buffer.from('\r\n\r\n'),
  INVITE,
  BYE,
  Buffer.from('\r\n'),
  COMPACT,
  Buffer.from('\r\n\r\n\r\n\r\n'),
  BARE,
  NO_LENGTH,
  Buffer.from('\r\n'),
  BYE,
  Buffer.from('\r\n'),
]);
const FRAMES = [
  'ping',
  ...[INVITE, BYE, COMPACT].map((bytes) => bytes.toString('latin1')),
  'ping',
  'ping',
  BARE.toString('latin1'),
  `no-length ${NO_LENGTH}`,
  BYE.toString('latin1'),
];

describe('the same frames come out', () => {
  test('of one segment', () => {
    expect(framesOf([STREAM])).toEqual(FRAMES);
  });

  test('of two segments cut at every byte', () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      expect(framesOf([STREAM.subarray(0, cut), STREAM.subarray(cut)]), `cut at ${cut}`).toEqual(FRAMES);
    }
  });

  test('of single bytes', () => {
    expect(framesOf(Array.from(STREAM, (byte) => Buffer.from([byte])))).toEqual(FRAMES);
  });

  test('of any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 20, size: 'max' }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), STREAM.length];
        const pieces = edges.slice(1).map((edge, i) => STREAM.subarray(edges[i], edge));
        expect(framesOf(pieces)).toEqual(FRAMES);
      }),
      { interruptAfterTimeLimit: 1_000 },
    );
  });
});

test('a message is not inside the buffer that later bytes overwrite', () => {
  const framer = new StreamFramer(LIMITS);
  framer.push(BYE);
  const frame = framer.next();
  framer.push(Buffer.alloc(10_000, 'x'));
  expect(frame).toMatchObject({ kind: 'message', bytes: BYE });
});

test('isInsideMessage says whether a message has begun', () => {
  const framer = new StreamFramer(LIMITS);
  const states = ['\r\n', 'B', 'YE x\r\nl: 2\r\n\r\n', 'a', 'b', '\r', '\n'].map((piece) => {
    framer.push(Buffer.from(piece));
    framer.next();
    return framer.isInsideMessage;
  });
  expect(states).toEqual([false, true, true, true, false, false, false]);
});

describe('limits', () => {
  test.each([
    ['a head without end', Buffer.alloc(701, 'a'), ['broken head-too-large 701']],
    [
      'a head that ends too late',
      Buffer.concat([Buffer.alloc(700, 'a'), Buffer.from('\n\n')]),
      ['broken head-too-large 702'],
    ],
    ['a body too large', Buffer.from('A\r\nl: 5001\r\n\r\n'), ['broken body-too-large 14']],
    ['a negative length', Buffer.from('A\r\nl: -1\r\n\r\n'), ['broken content-length 12']],
    ['two lengths', Buffer.from('A\r\nl: 1\r\nContent-Length: 2\r\n\r\nab'), ['broken content-length 32']],
    ['a length of many digits', Buffer.from('A\r\nl: 00000000001\r\n\r\n'), ['broken content-length 21']],
    ['the same length twice', Buffer.from('A\r\nl: 1\r\nL: 1\r\n\r\na'), ['A\r\nl: 1\r\nL: 1\r\n\r\na']],
  ])('%s', (_, bytes, expected) => {
    const framer = new StreamFramer(LIMITS);
    framer.push(bytes);
    expect(show(framer)).toEqual(expected);
    framer.push(BYE);
    if (expected[0]!.startsWith('broken')) expect([show(framer), framer.isInsideMessage]).toEqual([[], false]);
  });

  test('a large message in single bytes costs linear time', () => {
    const body = 'x'.repeat(100_000);
    const framer = new StreamFramer(DEFAULT_MESSAGE_LIMITS);
    const bytes = requestBytes({ body, extra: `X-Long: ${'y'.repeat(20_000)}\n` });
    const { cpuMs } = cpuTime(() => {
      for (let i = 0; i < bytes.length; i++) {
        framer.push(bytes.subarray(i, i + 1));
        if (i < bytes.length - 1 && framer.next()) throw new Error('too early');
      }
    });
    expect(framer.next()).toMatchObject({ kind: 'message', bytes });
    expect(cpuMs).toBeLessThan(2_000);
  });
});

test('random bytes never throw, and nothing is kept beyond the limits', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 200, size: 'max' }),
    fc
      .constantFrom('\r\n', '\n', 'l: 5\r\n', 'Content-Length: 5000\r\n', '\r\n\r\n', 'A: b')
      .map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30, size: 'max' }), (pieces) => {
      const framer = new StreamFramer(LIMITS);
      for (const bytes of pieces) {
        framer.push(Buffer.from(bytes));
        show(framer);
      }
    }),
    { interruptAfterTimeLimit: 1_000, numRuns: 500 },
  );
});
