import { describe, expect, test } from 'vitest';
import { DEFAULT_MESSAGE_LIMITS, findHeadEnd, parseMessage } from '../../../src/sip-server/message/parse.ts';
import { cpuTime } from '../../support/cpu-time.ts';
import { fixture, parsed, request, requestBytes, sip } from '../support/messages.ts';

const HEAD = requestBytes({ body: 'v=0' }).toString();

/** What came of it, in short: the body, or the reason with a mark for what can be answered. */
function outcome(bytes: Buffer | string, limits = DEFAULT_MESSAGE_LIMITS): string {
  const result = parseMessage(Buffer.from(bytes), limits);
  if ('message' in result) return `body ${JSON.stringify(result.message.body.toString())}`;
  return `${result.malformed}${result.answerable ? ', answerable' : ''}`;
}

test('a captured INVITE, whole', () => {
  const message = parsed(fixture('opensips-udp-invite'));
  expect(message.method).toBe('INVITE');
  expect(message.requestUri).toBe('sip:127.0.0.1:5090');
  expect(message.headers).toEqual([
    { name: 'Via', value: 'SIP/2.0/UDP 127.0.40.1:5060;branch=z9hG4bK33a2.29f48725.0' },
    { name: 'To', value: '<sip:127.0.0.1:5090>' },
    { name: 'From', value: '<sip:127.0.0.1:5090>;tag=497624b500b427fcab99a632df40113f-ce21' },
    { name: 'CSeq', value: '2 INVITE' },
    { name: 'Call-ID', value: 'B2B.263.3599662.1795222852.1528277307' },
    { name: 'Max-Forwards', value: '70' },
    { name: 'Content-Length', value: '2264' },
    { name: 'User-Agent', value: 'OpenSIPS (3.6.8 (x86_64/linux))' },
    { name: 'Require', value: 'siprec' },
    { name: 'Content-Type', value: 'multipart/mixed;boundary=OSS-unique-boundary-42' },
    { name: 'Contact', value: '<sip:127.0.40.1:5060>;+sip.src' },
  ]);
  expect(message.body.length).toBe(2264);
  expect(message.body.subarray(0, 26).toString()).toBe('--OSS-unique-boundary-42\r\n');
});

describe('the body', () => {
  test.each([
    ['exact', HEAD, 'body "v=0"'],
    ['more than Content-Length is cut', `${HEAD}\r\nmore`, 'body "v=0"'],
    ['less than Content-Length', HEAD.slice(0, -1), 'truncated, answerable'],
    ['no Content-Length: the rest', HEAD.replace('Content-Length: 3\r\n', ''), 'body "v=0"'],
    ['compact Content-Length', HEAD.replace('Content-Length: 3', 'l:2'), 'body "v="'],
    ['Content-Length twice the same', HEAD.replace('Content-Length: 3', 'l: 2\r\nContent-Length: 2'), 'body "v="'],
    [
      'Content-Length twice',
      HEAD.replace('Content-Length: 3', 'l: 2\r\nContent-Length: 3'),
      'content-length, answerable',
    ],
    ['Content-Length negative', HEAD.replace('Length: 3', 'Length: -3'), 'content-length, answerable'],
    ['Content-Length empty', HEAD.replace('Length: 3', 'Length:'), 'content-length, answerable'],
    ['Content-Length a list', HEAD.replace('Length: 3', 'Length: 3, 3'), 'content-length, answerable'],
    ['Content-Length huge', HEAD.replace('Length: 3', 'Length: 9999999999'), 'body-too-large, answerable'],
    ['bare LF in head and body', HEAD.replaceAll('\r\n', '\n').replace('v=0', '\n\r\n'), 'body "\\n\\r\\n"'],
    ['an empty line with bare LF after CRLF lines', HEAD.replace('\r\n\r\n', '\r\n\n'), 'body "v=0"'],
    ['a CRLF empty line after bare LF lines', HEAD.replaceAll('\r\n', '\n').replace('\n\n', '\n\r\n'), 'body "v=0"'],
    ['keep-alives in front', `\r\n\n\r\n${HEAD}`, 'body "v=0"'],
    ['no empty line', HEAD.slice(0, HEAD.indexOf('\r\n\r\n') + 2), 'no-empty-line, answerable'],
    ['cut in the head', HEAD.slice(0, HEAD.indexOf('CSeq')), 'no-empty-line'],
  ])('%s', (_, text, expected) => {
    expect(outcome(text)).toBe(expected);
  });

  test('line breaks in a body are not touched', () => {
    const body = 'a\nb\r\nc\rd\n\n\r\n\r\n';
    expect(parsed(requestBytes({ body: '' })).body.length).toBe(0);
    const bytes = Buffer.from(`${HEAD.slice(0, -3).replace('Length: 3', `Length: ${body.length}`)}${body}`);
    expect(parsed(bytes).body.toString()).toBe(body);
  });
});

describe('the head', () => {
  test('folded lines become one, with one space for the fold', () => {
    const message = request({ extra: 'Subject: first\n   second \n\t third\nX-Empty:\nX-Late:\n value\n' });
    expect(message.header('Subject')).toBe('first second third');
    expect(message.header('X-Empty')).toBe('');
    expect(message.header('X-Late')).toBe('value');
  });

  test('white space is what SIP says it is: NBSP and BOM belong to values', () => {
    const message = request({ extra: 'X-A: \t\u00a0a\ufeff \n', fromTag: '\u00a0t' });
    expect([message.header('X-A'), message.fromTag]).toEqual(['\u00a0a\ufeff', '\u00a0t']);
  });

  test('a CR inside a line is white space, not a line break', () => {
    expect(request({ extra: 'X-A: b\rX-Evil: c\n' }).header('X-A')).toBe('b X-Evil: c');
  });

  test('lines without a colon or a possible name are left out and counted', () => {
    const result = parseMessage(requestBytes({ extra: 'P-Custom hello\n: x\nBad Name: y\n' }));
    expect(result).toMatchObject({ unreadableLines: 3 });
  });

  test.each([
    ['INVITE sip:a@b SIP/2.0', 'INVITE', 'sip:a@b'],
    ['INVITE  sip:a@b\t SIP/2.0', 'INVITE', 'sip:a@b'],
    ['INVITE sip:a@b SIP/2.0  ', 'INVITE', 'sip:a@b'],
    ['INVITE sip:a@b sip/2.0', 'INVITE', 'sip:a@b'],
    ['INVITE <sip:a@b> SIP/2.0', 'INVITE', 'sip:a@b'],
  ])('start line %j', (line, method, uri) => {
    const message = parsed(Buffer.from(HEAD.replace('INVITE sip:srs@127.0.0.1 SIP/2.0', line)));
    expect([message.method, message.requestUri]).toEqual([method, uri]);
  });

  test.each([
    ['INVITE sip:a@b', 'start-line'],
    ['INVITE', 'start-line'],
    ['IN VITE sip:a@b SIP/2.0', 'start-line, answerable'],
    ['INVITE sip:a@b; lr SIP/2.0', 'start-line, answerable'],
    ['INVITE SIP/2.0', 'start-line, answerable'],
    ['INVITE sip:a@b SIP/3.0', 'version, answerable'],
    ['INVITE sip:a@b SIP/2.00000', 'start-line'],
    ['I(N)VITE sip:a@b SIP/2.0', 'start-line'],
    ['SIP/2.0 4294967301 big', 'start-line'],
    ['SIP/2.0 99 low', 'start-line'],
    ['SIP/2.0 700 high', 'start-line'],
    ['GET / HTTP/1.1', 'start-line'],
  ])('start line %j is malformed', (line, expected) => {
    expect(outcome(HEAD.replace('INVITE sip:srs@127.0.0.1 SIP/2.0', line))).toBe(expected);
  });

  test.each([
    ['SIP/2.0 200 OK', 200, 'OK'],
    ['SIP/2.0 100 ', 100, ''],
    ['SIP/2.0 486', 486, ''],
    ['SIP/2.0 200 = 2**3 * 5**2 но сто', 200, '= 2**3 * 5**2 но сто'],
  ])('status line %j', (line, statusCode, reasonPhrase) => {
    const message = parsed(Buffer.from(HEAD.replace('INVITE sip:srs@127.0.0.1 SIP/2.0', line)));
    expect([message.kind, message.statusCode, message.reasonPhrase]).toEqual(['response', statusCode, reasonPhrase]);
    expect([message.method, message.requestUri]).toEqual(['INVITE', '']);
  });

  test.each([
    ['Via', 'missing-header'],
    ['From', 'missing-header'],
    ['To', 'missing-header'],
    ['Call-ID', 'missing-header'],
    ['CSeq', 'missing-header'],
  ])('without %s nothing can be answered', (name, expected) => {
    expect(outcome(HEAD.replace(new RegExp(`\r\n${name}:[^\r]*`), ''))).toBe(expected);
    expect(outcome(HEAD.replace(new RegExp(`\r\n${name}:[^\r]*`), `\r\n${name}:`))).toBe(expected);
  });

  test.each([
    ['a CSeq of another method', HEAD.replace('1 INVITE', '1 OPTIONS'), 'missing-header, answerable'],
    ['a CSeq that is no number', HEAD.replace('1 INVITE', 'x INVITE'), 'missing-header, answerable'],
    ['an unreadable Via', HEAD.replace('SIP/2.0/UDP 127', 'UDP 127'), 'missing-header'],
    ['two From', HEAD.replace('To:', 'From: <sip:x>\r\nTo:'), 'duplicate-header, answerable'],
    ['the same From twice', HEAD.replace('To:', 'f: <sip:src@127.0.0.1>;tag=from-1\r\nTo:'), 'body "v=0"'],
    ['a NUL', HEAD.replace('Max', 'M\0x'), 'nul'],
    ['an ACK is never answered', requestBytes({ method: 'ACK', cseqMethod: 'BYE' }), 'missing-header'],
    [
      'a response is never answered',
      HEAD.replace(/^.*/, 'SIP/2.0 200 OK').replace('Length: 3', 'Length: 4'),
      'truncated',
    ],
    ['nothing', '', 'empty'],
    ['only keep-alives', '\r\n\r\n', 'empty'],
    ['four NULs, as some phones send', '\0\0\0\0', 'nul'],
  ])('%s', (_, text, expected) => {
    expect(outcome(text)).toBe(expected);
  });
});

describe('limits', () => {
  const limits = { headBytes: 400, headerLines: 10, bodyBytes: 5 };

  test('are inclusive', () => {
    const padding = 400 - (HEAD.indexOf('\r\n\r\n') + 2) - 'X-Pad: \r\n'.length;
    const exact = requestBytes({ extra: `X-Pad: ${'x'.repeat(padding)}\n`, body: 'v=0' });
    expect(outcome(exact, limits)).toBe('body "v=0"');
    const over = requestBytes({ extra: `X-Pad: ${'x'.repeat(padding + 1)}\n`, body: 'v=0' });
    expect(outcome(over, limits)).toBe('head-too-large, answerable');
    expect(outcome(requestBytes({ extra: 'A: 1\nB: 1\nC: 1\n' }), limits)).toBe('body ""');
    expect(outcome(requestBytes({ extra: 'A: 1\nB: 1\nC: 1\nD: 1\n' }), limits)).toBe('too-many-headers, answerable');
    expect(outcome(requestBytes({ body: '12345' }), limits)).toBe('body "12345"');
    expect(outcome(requestBytes({ body: '123456' }), limits)).toBe('body-too-large, answerable');
    expect(outcome(`${HEAD.replace('Content-Length: 3\r\n', '')}456`, limits)).toBe('body-too-large, answerable');
  });

  test('a head of nothing but folds, or of empty names, costs linear time', () => {
    const { cpuMs } = cpuTime(() => {
      outcome(HEAD.replace('Content-Length', `X-Fold: a${'\r\n '.repeat(20_000)}\r\nContent-Length`));
      outcome(HEAD.replace('Content-Length', `X-Fold: ${'\n'.repeat(1)}${' '.repeat(60_000)}b\r\nContent-Length`));
      outcome(HEAD.replace('<sip:src', `${'"\\'.repeat(15_000)}<sip:src`));
      outcome(HEAD.replace('SIP/2.0/UDP', `SIP${' '.repeat(60_000)}UDP`));
      outcome(HEAD.replace('INVITE sip', `INVITE${' \t'.repeat(30_000)}sip`));
      outcome(HEAD.replace('127.0.0.1:5080', `${'1.'.repeat(30_000)}`));
    });
    expect(cpuMs).toBeLessThan(500);
  });
});

test('findHeadEnd can be resumed at any point', () => {
  for (const text of ['a: b\r\n\r\nx', 'a: b\n\nx', 'a\r\n\nx', 'a\n\r\nx', 'a\r\nb\r\n c\n\r\n\r\n']) {
    const whole = findHeadEnd(Buffer.from(text), 0);
    for (let cut = 0; cut < text.length; cut++) {
      const first = findHeadEnd(Buffer.from(text.slice(0, cut)), 0);
      if ('headEnd' in first) expect(first).toEqual(whole);
      else expect(findHeadEnd(Buffer.from(text), first.resume)).toEqual(whole);
    }
  }
});

test('text after the head is not searched for headers', () => {
  const message = parsed(sip(`${HEAD.replaceAll('\r\n', '\n').replace('v=0', 'X-Evil: 1')}`));
  expect(message.header('X-Evil')).toBeUndefined();
});
