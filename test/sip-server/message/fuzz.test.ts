import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createResponse } from '../../../src/sip-server/message/build.ts';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';
import { formatSipUri, parseNameAddr, parseSipUri } from '../../../src/sip-server/message/uri.ts';
import { formatVia, parseVia } from '../../../src/sip-server/message/via.ts';
import { FIXTURES, fixture } from '../support/messages.ts';

// Without size: 'max' fast-check makes arrays of five or so.
const limits = { interruptAfterTimeLimit: 1_500, numRuns: 2_000 };
const captured = FIXTURES.map(fixture);

/** Whatever came in: nothing throws, and what was understood survives a second reading. */
function survives(bytes: Buffer): void {
  const result = parseMessage(bytes);
  const message = 'message' in result ? result.message : result.answerable;
  if (!message) return;
  const text = message.toText();
  expect(text.slice(0, text.indexOf('\r\n\r\n'))).not.toMatch(/\0|\r(?!\n)|(?<!\r)\n/);
  if ('malformed' in result) {
    const refusal = parseMessage(createResponse(message, 400, 'Bad Request').toBytes());
    expect('message' in refusal || refusal.malformed).not.toBe('start-line');
    return;
  }
  const again = parseMessage(message.toBytes());
  if (!('message' in again)) throw new Error(`${again.malformed} after ${text}`);
  expect(again.message.toBytes()).toEqual(message.toBytes());
  expect(again.message.body).toEqual(message.body);
  // The one line that was not UTF-8 may have been left out: then the same bytes are other characters now.
  if (again.message.encoding !== message.encoding) return;
  expect([again.message.callId, again.message.cseq, again.message.fromTag]).toEqual([
    message.callId,
    message.cseq,
    message.fromTag,
  ]);
}

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), (bytes) => survives(Buffer.from(bytes))),
    limits,
  );
});

const word = fc.constantFrom(
  'INVITE',
  'SIP/2.0',
  ' ',
  '\r\n',
  '\n',
  '\r',
  'Via',
  'v',
  ':',
  ': ',
  ';',
  ',',
  '"',
  '<',
  '>',
  'sip:a@b',
  'From',
  'To',
  'Call-ID',
  'CSeq: 1 INVITE',
  'Content-Length: ',
  '3',
  '\0',
  'é',
  '\\',
  '=',
  'tag=1',
  'SIP/2.0/UDP h',
  '\r\n\r\n',
  '%',
);

test('lines made of what SIP is made of', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60, size: 'max' }), (words) => survives(Buffer.from(words.join('')))),
    limits,
  );
});

test('messages that are whole, with values made of the same', () => {
  const value = fc
    .array(word, { maxLength: 8, size: 'max' })
    .map((words) => words.join('').replace(/[\r\n]+(?![ \t])/g, ''));
  const tagged = fc.tuple(value, value).map(([left, right]) => `${left}<sip:a@b>${right};tag=1`);
  let whole = 0;
  fc.assert(
    fc.property(tagged, tagged, value, value, fc.nat(20), value, (from, to, callId, extra, length, body) => {
      const via = `SIP/2.0/UDP h;branch=z9hG4bK${extra}`;
      const head = [
        `Via: ${via}`,
        `From: ${from}`,
        `t: ${to}`,
        `Call-ID: x${callId}`,
        `X-Extra: ${extra}`,
        'CSeq: 1 INVITE',
      ];
      const text = `INVITE sip:a@b SIP/2.0\r\n${head.join('\r\n')}\r\nl: ${length}\r\n\r\n${body}`;
      if ('message' in parseMessage(Buffer.from(text))) whole++;
      survives(Buffer.from(text));
    }),
    limits,
  );
  // The generator is worth something only while much of what it makes is understood.
  expect(whole).toBeGreaterThan(100);
});

test('captured messages with bytes changed, cut and doubled', () => {
  const change = fc.record({
    which: fc.nat(captured.length - 1),
    at: fc.nat(3_000),
    drop: fc.nat(30),
    insert: fc.uint8Array({ maxLength: 6 }),
    repeat: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let bytes = captured[changes[0]!.which]!;
      for (const { at, drop, insert, repeat } of changes) {
        const from = at % bytes.length;
        const middle = Array.from({ length: repeat }, () => Buffer.from(insert));
        bytes = Buffer.concat([bytes.subarray(0, from), ...middle, bytes.subarray(from + drop)]);
      }
      survives(bytes);
    }),
    limits,
  );
});

test('URIs, name-addrs and Vias', () => {
  const text = fc.array(
    fc.constantFrom(
      'sip:',
      'a',
      '@',
      'b',
      '[',
      '::1',
      ']',
      ':',
      '5060',
      ';',
      '=',
      '<',
      '>',
      '"',
      '\\',
      ' ',
      '?',
      'SIP/2.0/UDP ',
      'é',
    ),
    { maxLength: 30, size: 'max' },
  );
  fc.assert(
    fc.property(text, (words) => {
      const value = words.join('');
      const uri = parseSipUri(value);
      if (uri) expect(parseSipUri(formatSipUri(uri))).toEqual(uri);
      parseNameAddr(value);
      const via = parseVia(value);
      if (via) expect(parseVia(formatVia(via))).toEqual(via);
    }),
    limits,
  );
});
