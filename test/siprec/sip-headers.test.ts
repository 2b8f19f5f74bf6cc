import { describe, expect, test } from 'vitest';
import {
  bodyOfSipMessage,
  canonicalHeaderName,
  headerList,
  headerValue,
  isProtocolHeader,
  parseNameAddress,
  readSipHeaders,
  splitOutsideQuotes,
} from '../../src/siprec/sip-headers.ts';

test('headers keep their names and order; folded lines are joined, other lines skipped', () => {
  const message =
    'INVITE sip:srs@example.com SIP/2.0\r\nm: <sip:a@b>\r\nX-Tenant:acme\r\nSubject: one\r\n  two\r\nno colon here\r\n' +
    'CALL-ID : 1@b\r\nX-Tenant: again\r\n\r\nv=0\r\n\r\nrest: of body';
  expect(readSipHeaders(message)).toEqual([
    { name: 'm', value: '<sip:a@b>' },
    { name: 'X-Tenant', value: 'acme' },
    { name: 'Subject', value: 'one two' },
    { name: 'CALL-ID', value: '1@b' },
    { name: 'X-Tenant', value: 'again' },
  ]);
  expect(bodyOfSipMessage(message)).toBe('v=0\r\n\r\nrest: of body');
  expect(bodyOfSipMessage('BYE sip:a@b SIP/2.0\r\n\r\n')).toBe('');
  expect(bodyOfSipMessage('BYE sip:a@b SIP/2.0')).toBe('');
});

test('compact names and lists', () => {
  const headers = readSipHeaders(
    'X sip:a SIP/2.0\r\nk: timer, siprec\r\nSupported: 100rel\r\nt: <sip:b@c>;tag=1\r\n\r\n',
  );
  expect(headerList(headers, 'supported')).toEqual(['timer', 'siprec', '100rel']);
  expect(headerValue(headers, 'to')).toBe('<sip:b@c>;tag=1');
  expect(headerValue(headers, 'from')).toBe(null);
  expect(canonicalHeaderName('X')).toBe('session-expires');
});

test('what is kept with a recording', () => {
  const names = [
    'Via',
    'v',
    'CSeq',
    'Require',
    'X-Tenant',
    'User-Agent',
    'P-Asserted-Identity',
    'User-to-User',
    'Cisco-Guid',
  ];
  expect(names.filter((name) => !isProtocolHeader(name))).toEqual([
    'X-Tenant',
    'User-Agent',
    'P-Asserted-Identity',
    'User-to-User',
    'Cisco-Guid',
  ]);
});

describe('name-addr', () => {
  test.each([
    [
      '<sip:a@b:5060;user=phone>;tag=x',
      { displayName: null, uri: 'sip:a@b:5060;user=phone', parameters: { tag: 'x' } },
    ],
    ['sip:a@b;tag=x', { displayName: null, uri: 'sip:a@b', parameters: { tag: 'x' } }],
    ['Alice Smith <sip:a@b>', { displayName: 'Alice Smith', uri: 'sip:a@b', parameters: {} }],
    [
      '"Smith, \\"Al\\" <x>" <sip:a@b>;a="1;2";b',
      { displayName: 'Smith, "Al" <x>', uri: 'sip:a@b', parameters: { a: '1;2', b: '' } },
    ],
    [
      '<<sip:127.0.40.1:5060>;+sip.src>',
      { displayName: null, uri: 'sip:127.0.40.1:5060', parameters: { '+sip.src>': '' } },
    ],
    ['<sip:a@b;+sip.src>', { displayName: null, uri: 'sip:a@b;+sip.src', parameters: {} }],
    ['"" <tel:+49301234>', { displayName: null, uri: 'tel:+49301234', parameters: {} }],
    ['<sip:a@b', { displayName: null, uri: 'sip:a@b', parameters: {} }],
  ])('%s', (text, expected) => {
    expect(parseNameAddress(text)).toEqual(expected);
  });

  test.each(['', '<>', ';tag=1', '"name only"'])('no URI in %j', (text) => {
    expect(parseNameAddress(text)).toBe(null);
  });
});

test('splitting outside of quotes and brackets', () => {
  expect(splitOutsideQuotes('"a,b" <sip:c,d@e>, <tel:1> ,,f', ',')).toEqual(['"a,b" <sip:c,d@e>', '<tel:1>', 'f']);
  expect(splitOutsideQuotes('"open, a', ',')).toEqual(['"open, a']);
});
