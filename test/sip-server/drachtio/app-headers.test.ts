// What of an app's message goes out, `@localhost`, and the defaults of a new request.
import { describe, expect, test } from 'vitest';
import type { LocalAddress } from '../../../src/sip-server/dialog/owner.ts';
import { answerContent, requestContent, resolveLocalhost } from '../../../src/sip-server/drachtio/app-headers.ts';
import { parseAppMessage } from '../../../src/sip-server/drachtio/app-message.ts';
import { buildNewRequest, parseRequestLine } from '../../../src/sip-server/drachtio/new-request.ts';

const udp: LocalAddress = { host: '192.0.2.1', port: 5060, transport: 'udp' };
const tcp: LocalAddress = { host: '2001:db8::1', port: 5070, transport: 'tcp' };
const message = (lines: string, body = '') =>
  parseAppMessage(Buffer.from(`X\r\n${lines && `${lines.replaceAll('\n', '\r\n')}\r\n`}\r\n${body}`));

test.each([
  ['Contact', 'sip:1001@localhost', '<sip:1001@192.0.2.1:5060>', '<sip:1001@[2001:db8::1]:5070;transport=tcp>'],
  [
    'Contact',
    '<sip:a@localhost:9>;+sip.srs',
    '<sip:a@192.0.2.1:5060>;+sip.srs',
    '<sip:a@[2001:db8::1]:5070;transport=tcp>;+sip.srs',
  ],
  [
    'Contact',
    '<sip:a@localhost;transport=udp>',
    '<sip:a@192.0.2.1:5060;transport=udp>',
    '<sip:a@[2001:db8::1]:5070;transport=udp>',
  ],
  ['From', '"A" <sip:a@localhost>', '"A" <sip:a@192.0.2.1:5060>', '"A" <sip:a@[2001:db8::1]:5070>'],
  ['P-Asserted-Identity', 'sip:a@localhost;x=1', '<sip:a@192.0.2.1:5060>;x=1', '<sip:a@[2001:db8::1]:5070>;x=1'],
  ['To', '<sip:a@localhost.example>', '<sip:a@localhost.example>', '<sip:a@localhost.example>'],
  ['X-Other', '<sip:a@localhost>', '<sip:a@localhost>', '<sip:a@localhost>'],
])('%s: %s', (name, value, overUdp, overTcp) => {
  expect(resolveLocalhost({ name, value }, udp).value).toBe(overUdp);
  expect(resolveLocalhost({ name, value }, tcp).value).toBe(overTcp);
});

test("the server's own headers are left out", () => {
  const lines = [
    'Via',
    'Record-Route',
    'Route',
    'RSeq',
    'RAck',
    'From',
    'To',
    'Call-ID',
    'CSeq',
    'Content-Length',
    'Max-Forwards',
    'X-A',
  ];
  const given = message(lines.map((name) => `${name}: x`).join('\n'), 'body');
  const names = (content: ReturnType<typeof answerContent>) => content.headers(udp).map(({ name }) => name);
  expect(names(answerContent(given))).toEqual(['RAck', 'X-A']);
  expect(names(requestContent(given))).toEqual(['RSeq', 'RAck', 'X-A']);
  expect(answerContent(given).body.toString()).toBe('body');
});

describe('a new request', () => {
  const lines = (text: string, given: string, local = udp, body = '', userAgent: string | null = null) =>
    buildNewRequest(parseRequestLine(text, true)!, message(given, body), local, userAgent)
      .toText()
      .replace(/tag=[0-9a-f]{16}/, 'tag={tag}')
      .replace(/Call-ID: [0-9a-f-]{36}/, 'Call-ID: {uuid}')
      .replace(/CSeq: \d+/, 'CSeq: {n}')
      .split('\r\n');

  test('with every default', () => {
    expect(lines('invite sip:bob@192.0.2.9 SIP/2.0', '', udp, 'v=0\r\n', 'sipreel/1')).toEqual([
      'INVITE sip:bob@192.0.2.9 SIP/2.0',
      'Max-Forwards: 70',
      'From: <sip:192.0.2.1:5060>;tag={tag}',
      'To: <sip:bob@192.0.2.9>',
      'Call-ID: {uuid}',
      'CSeq: {n} INVITE',
      'Contact: <sip:192.0.2.1:5060>',
      'Content-Type: application/sdp',
      'User-Agent: sipreel/1',
      'Content-Length: 5',
      '',
      'v=0',
      '',
    ]);
  });

  test('with everything given', () => {
    const given = `from: "A" <sip:a@localhost>;tag=mine
to: "B" <sip:b@example.org>
call-id: my-call
CSeq: 77 OPTIONS
max-forwards: 3
route: <sip:192.0.2.5;lr>
user-agent: app
contact: <sip:c@localhost>
x-a: 1`;
    expect(
      buildNewRequest(parseRequestLine('OPTIONS sip:b@example.org SIP/2.0', true)!, message(given), tcp, 'sipreel/1')
        .toText()
        .split('\r\n'),
    ).toEqual([
      'OPTIONS sip:b@example.org SIP/2.0',
      'Route: <sip:192.0.2.5;lr>',
      'Max-Forwards: 3',
      'From: "A" <sip:a@[2001:db8::1]:5070>;tag=mine',
      'To: "B" <sip:b@example.org>',
      'Call-ID: my-call',
      'CSeq: 77 OPTIONS',
      'User-Agent: app',
      'Contact: <sip:c@[2001:db8::1]:5070;transport=tcp>',
      'x-a: 1',
      'Content-Length: 0',
      '',
      '',
    ]);
  });

  test.each([
    ['INVITE sip:bob@192.0.2.9 SIP/2.0', { method: 'INVITE', requestUri: 'sip:bob@192.0.2.9' }],
    ['INVITE http://bob SIP/2.0', null],
    ['INVITE sip: SIP/2.0', null],
    ['INVITE sip:a b SIP/2.0', null],
    ['IN|VITE sip:a SIP/2.0', null],
    ['INVITE sip:a SIP/3.0', null],
    ['', null],
  ])('request line %j', (line, expected) => {
    expect(parseRequestLine(line, true)).toEqual(expected);
  });
});
