// What apps send, read whole; and whatever else somebody may send.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAppMessage } from '../../../src/sip-server/drachtio/app-message.ts';
import { parseCommand } from '../../../src/sip-server/drachtio/command.ts';

const crlf = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'));

test.each([
  ['m|authenticate|cymru|tagA,tagB', { kind: 'authenticate', id: 'm', secret: 'cymru' }],
  ['m|authenticate|cymru', { kind: 'authenticate', id: 'm', secret: 'cymru' }],
  ['m|authenticate', { kind: 'authenticate', id: 'm', secret: '' }],
  ['m|route|invite', { kind: 'route', id: 'm', verb: 'invite' }],
  ['m|remove_route|invite', { kind: 'remove-route', id: 'm', verb: 'invite' }],
  ['m|ping', { kind: 'ping', id: 'm' }],
  ['m|proxy|txn|||||||sip:a\nINVITE sip:a SIP/2.0\n\n', { kind: 'proxy', id: 'm' }],
  ['m|route', { kind: 'invalid', id: 'm', reason: 'Invalid message format' }],
  ['m|remove_route|', { kind: 'invalid', id: 'm', reason: 'Invalid message format' }],
  ['m|sip', { kind: 'invalid', id: 'm', reason: 'Invalid message format' }],
  ['m|constructor|x', { kind: 'invalid', id: 'm', reason: 'Unknown message type' }],
  ['m', { kind: 'invalid', id: 'm', reason: 'Invalid message format' }],
  ['', { kind: 'invalid', id: '', reason: 'Invalid message format' }],
])('%j', (payload, expected) => {
  expect(parseCommand(crlf(payload))).toEqual(expected);
});

describe('the forms of sip', () => {
  const none = Buffer.alloc(0);

  test('an answer, captured', () => {
    const body = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n';
    const frame = crlf(`c4e6e6bc|sip|833dd436|
SIP/2.0 200 OK
Call-ID: b13170929e12@127.0.0.1
cseq: 1 INVITE
from: <sip:alice@127.0.0.1:15070>;tag=c5897c7e
to: <sip:plain@127.0.0.1:5060>
x-why: busy
my-hdr: 1
Content-Length: 122

v=0
o=- 1 1 IN IP4 127.0.0.1
`);
    expect(parseCommand(frame)).toEqual({
      kind: 'answer',
      id: 'c4e6e6bc',
      transactionId: '833dd436',
      message: {
        startLine: 'SIP/2.0 200 OK',
        headers: [
          { name: 'Call-ID', value: 'b13170929e12@127.0.0.1' },
          { name: 'CSeq', value: '1 INVITE' },
          { name: 'From', value: '<sip:alice@127.0.0.1:15070>;tag=c5897c7e' },
          { name: 'To', value: '<sip:plain@127.0.0.1:5060>' },
          { name: 'x-why', value: 'busy' },
          { name: 'My-Hdr', value: '1' },
          { name: 'Content-Length', value: '122' },
        ],
        body: Buffer.from(body),
      },
    });
  });

  test.each([
    [
      'm|sip||dlg;from-tag=1\nINFO sip:placeholder SIP/2.0\n\n',
      { kind: 'request-in-dialog', dialogId: 'dlg;from-tag=1' },
    ],
    ['m|sip|txn|\nCANCEL sip:bob@127.0.0.1 SIP/2.0\n\n', { kind: 'cancel', transactionId: 'txn' }],
    ['m|sip||\nOPTIONS sip:bob@127.0.0.1 SIP/2.0\n\n', { kind: 'request', routeUri: '' }],
    [
      'm|sip|||sip:127.0.0.1:15080\nINVITE sip:bob@127.0.0.1 SIP/2.0\n\n',
      { kind: 'request', routeUri: 'sip:127.0.0.1:15080' },
    ],
  ])('%j', (payload, expected) => {
    const startLine = payload.split('\n')[1]!;
    const message = { startLine, headers: [], body: none };
    expect(parseCommand(crlf(payload))).toEqual({ id: 'm', message, ...expected });
  });

  test('a bare status line is enough', () => {
    expect(parseAppMessage(crlf('SIP/2.0 486 Busy Here'))).toEqual({
      startLine: 'SIP/2.0 486 Busy Here',
      headers: [],
      body: none,
    });
  });
});

describe('headers of apps', () => {
  const headersOf = (lines: string) => parseAppMessage(crlf(`SIP/2.0 200 OK\n${lines}\n\n`)).headers;

  test('lines that are no headers are skipped, folded ones joined, repeated ones kept', () => {
    expect(headersOf('no colon\n: empty\nbad name: x\nx-A : 1\nX-A:2\nsubject: first\n  second\n\tthird')).toEqual([
      { name: 'x-A', value: '1' },
      { name: 'X-A', value: '2' },
      { name: 'Subject', value: 'first second third' },
    ]);
  });

  test('compact names and odd spellings', () => {
    expect(
      headersOf('m: <sip:a>\nmime-version: 1.0\nwww-authenticate: x\nrack: 1\np-asserted-identity: <sip:a>'),
    ).toEqual([
      { name: 'Contact', value: '<sip:a>' },
      { name: 'MIME-Version', value: '1.0' },
      { name: 'WWW-Authenticate', value: 'x' },
      { name: 'RAck', value: '1' },
      { name: 'P-Asserted-Identity', value: '<sip:a>' },
    ]);
  });

  test('a lone line break inside a value cannot make a header', () => {
    const text = Buffer.from('SIP/2.0 200 OK\r\nX-A: 1\nVia: evil\rTo: evil\r\n\r\nbody');
    expect(parseAppMessage(text)).toEqual({
      startLine: 'SIP/2.0 200 OK',
      headers: [{ name: 'X-A', value: '1 Via: evil To: evil' }],
      body: Buffer.from('body'),
    });
  });
});

test('no input makes it fail', () => {
  const pieces = fc.constantFrom(
    'm',
    '|',
    'sip',
    'route',
    'SIP/2.0 200 OK',
    '\r\n',
    '\r',
    '\n',
    'a: b',
    ' ',
    '\r\n\r\n',
    'é',
    '\0',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(pieces, { maxLength: 30 }).map((all) => Buffer.from(all.join(''))),
      ),
      (bytes) => {
        expect(typeof parseCommand(Buffer.from(bytes)).kind).toBe('string');
      },
    ),
    { numRuns: 1_000 },
  );
});
