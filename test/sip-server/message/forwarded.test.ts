// What toText() gives must be readable for drachtio-srf's own parser, which drops a whole message for one odd line.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';
import { FIXTURES, fixture, parsed, requestBytes } from '../support/messages.ts';

interface AppMessage {
  headers: Record<string, string>;
  body: string | undefined;
}

const parser: { parseSipMessage(text: string, lazy: boolean): AppMessage | undefined } = createRequire(import.meta.url)(
  'drachtio-srf/lib/sip-parser/parser',
);

function readsTheSame(message: SipMessage): void {
  const text = message.toText();
  const read = parser.parseSipMessage(Buffer.from(text).toString(), true);
  if (!read) throw new Error(`drachtio-srf cannot read ${JSON.stringify(text)}`);
  expect(read.body).toBe(text.slice(text.indexOf('\r\n\r\n') + 4));
  expect(read.headers['call-id']).toBe(message.callId?.trimStart());
}

test.each(FIXTURES)('%s', (name) => {
  readsTheSame(parsed(fixture(name)));
});

test('compact names, folds, doubled lengths, encoded names and lines that are none', () => {
  const extra = `k: timer
o: talk
x: 90
Subject: first
  second
l: 9
C%6Fntent-Length: 1
no colon here
X-Odd : \u00e9\t
`;
  readsTheSame(parsed(requestBytes({ extra, body: 'a\r\n\r\nb \u00e9' }).subarray()));
});

test('captured messages with bytes changed, cut and doubled', () => {
  const captured = FIXTURES.map(fixture);
  const change = fc.record({
    at: fc.nat(700),
    drop: fc.nat(30),
    insert: fc.uint8Array({ maxLength: 6, size: 'max' }),
  });
  fc.assert(
    fc.property(fc.nat(captured.length - 1), fc.array(change, { minLength: 1, maxLength: 3 }), (which, changes) => {
      let bytes = captured[which]!;
      for (const { at, drop, insert } of changes) {
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + drop)]);
      }
      const result = parseMessage(bytes);
      if ('message' in result) readsTheSame(result.message);
    }),
    { interruptAfterTimeLimit: 1_000, numRuns: 3_000 },
  );
});
