import { describe, expect, test } from 'vitest';
import { formatSipUri, parseNameAddr, parseSipUri } from '../../../src/sip-server/message/uri.ts';

function params(entries: Record<string, string | null>): Map<string, string | null> {
  return new Map(Object.entries(entries));
}

describe('SIP URIs', () => {
  test.each([
    ['sip:127.0.0.1', { user: null, host: '127.0.0.1', port: null, params: {}, headers: '' }],
    ['sip:alice@example.com:5070', { user: 'alice', host: 'example.com', port: 5070, params: {}, headers: '' }],
    ['SIP:alice:pw@example.com', { user: 'alice:pw', host: 'example.com', port: null, params: {}, headers: '' }],
    [
      'sip:srs@[2001:db8::1]:5062;transport=TCP;lr',
      { user: 'srs', host: '2001:db8::1', port: 5062, params: { transport: 'TCP', lr: null }, headers: '' },
    ],
    ['sip:[::1]', { user: null, host: '::1', port: null, params: {}, headers: '' }],
    // RFC 4475 §3.1.1.2, §3.1.1.3, §3.1.1.9 and §3.1.2.11
    [
      "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
      {
        user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        host: 'example.com',
        port: null,
        params: {},
        headers: '',
      },
    ],
    [
      'sip:sips%3Auser%40example.com@example.net',
      { user: 'sips%3Auser%40example.com', host: 'example.net', port: null, params: {}, headers: '' },
    ],
    [
      'sip:user;par=u%40example.net@example.com',
      { user: 'user;par=u%40example.net', host: 'example.com', port: null, params: {}, headers: '' },
    ],
    [
      'sip:user@example.com?Route=%3Csip:example.com%3E',
      { user: 'user', host: 'example.com', port: null, params: {}, headers: 'Route=%3Csip:example.com%3E' },
    ],
  ])('%s', (text, expected) => {
    const uri = parseSipUri(text);
    expect(uri).toEqual({ scheme: 'sip', ...expected, params: params(expected.params as Record<string, null>) });
    expect(parseSipUri(formatSipUri(uri!))).toEqual(uri);
  });

  test('parameter names are lower-cased, and formatting gives the URI back', () => {
    expect(parseSipUri('sips:h;Transport=tls;LR')).toEqual({
      scheme: 'sips',
      user: null,
      host: 'h',
      port: null,
      params: params({ transport: 'tls', lr: null }),
      headers: '',
    });
    const text = 'sip:a%20b@[::1]:5061;transport=tcp;lr?x=y';
    expect(formatSipUri(parseSipUri(text)!)).toBe(text);
  });

  test.each([
    '',
    'sip:',
    'tel:+1',
    'sip:a@b:0',
    'sip:a@b:65536',
    'sip:a@b:x',
    'sip:[::1',
    'sip:a b@c',
    'sip:user@example.com; lr',
    '<sip:user@example.com>',
  ])('%j is none', (text) => {
    expect(parseSipUri(text)).toBeNull();
  });
});

describe('name-addr', () => {
  test.each([
    ['<sip:a@b>', '', 'sip:a@b', {}],
    ['<sip:a@b;lr>;tag=1;X', '', 'sip:a@b;lr', { tag: '1', x: null }],
    ['sip:a@b;tag=1', '', 'sip:a@b', { tag: '1' }],
    ['"A; <B>, \\"C\\"" <sip:a@b>;tag="q;r"', 'A; <B>, "C"', 'sip:a@b', { tag: 'q;r' }],
    ['Alice Smith <sip:a@b> ; tag = 1', 'Alice Smith', 'sip:a@b', { tag: '1' }],
    ['caller<sip:caller@example.com>;tag=323', 'caller', 'sip:caller@example.com', { tag: '323' }],
    ['Bell, Alexander <sip:a.g.bell@example.com>;tag=43', 'Bell, Alexander', 'sip:a.g.bell@example.com', { tag: '43' }],
    ['"Watson, Thomas" < sip:t.watson@example.org >', 'Watson, Thomas', 'sip:t.watson@example.org', {}],
    ['"Mr. J. User <sip:j.user@example.com>;tag=7', '"Mr. J. User', 'sip:j.user@example.com', { tag: '7' }],
    ['<sip:127.0.40.1:5060>;+sip.src', '', 'sip:127.0.40.1:5060', { '+sip.src': null }],
    // OpenSIPS 3.6 in its answers
    ['<<sip:127.0.40.1:5060>;+sip.src>', '', 'sip:127.0.40.1:5060', { '+sip.src': null }],
    ['<sip:a@b', '', 'sip:a@b', {}],
    ['*', '', '*', {}],
  ])('%s', (text, displayName, uri, expected) => {
    expect(parseNameAddr(text)).toEqual({ displayName, uri, params: params(expected as Record<string, string>) });
  });

  test('an empty value is none', () => {
    expect(parseNameAddr(' ')).toBeNull();
  });
});
