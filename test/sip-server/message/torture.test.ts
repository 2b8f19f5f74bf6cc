// RFC 4475: the outcome that this parser gives each torture message, and where it is more lenient than the RFC suggests.
import { expect, test } from 'vitest';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';
import { parseNameAddr, parseSipUri } from '../../../src/sip-server/message/uri.ts';
import { parsed, sip } from '../support/messages.ts';
import { TORTURE, torture } from '../support/torture-messages.ts';

function verdict(bytes: Buffer): string {
  const result = parseMessage(bytes);
  if ('message' in result) return 'accepted';
  return `${result.malformed}, ${result.answerable ? 'refused' : 'dropped'}`;
}

test('3.1.1.1 A Short Tortuous INVITE (wsinv)', () => {
  const message = parsed(torture('wsinv'));
  expect(message.body.length).toBe(150);
  expect([message.cseq, message.fromTag, message.toTag]).toEqual([
    { number: 9, method: 'INVITE' },
    '98asjd8',
    '1918181833n',
  ]);
  expect(message.topVia).toMatchObject({ transport: 'UDP', host: '192.0.2.2', port: null, branch: '390skdjuw' });
  expect(message.listValues('Via').length).toBe(3);
  expect(message.header('Subject')).toBe('');
  expect(message.header('NewFangledHeader')).toBe('newfangled value continued newfangled value');
  expect(message.header('UnknownHeaderWithUnusualValue')).toBe(';;,,;;,;');
  expect(parseNameAddr(message.header('From')!)?.displayName).toBe('J Rosenberg \\"');
  expect(parseNameAddr(message.header('Contact')!)).toEqual({
    displayName: 'Quoted string ""',
    uri: 'sip:jdrosen@example.com',
    params: new Map([
      ['newparam', 'newvalue'],
      ['secondparam', null],
      ['q', '0.33'],
    ]),
  });
});

test('3.1.1.2 Wide Range of Valid Characters (intmeth)', () => {
  // A NUL in a head is more often an attack than a name.
  expect(verdict(torture('intmeth'))).toBe('nul, dropped');
  const message = parsed(sip(TORTURE.intmeth.replace('\0', '')));
  expect(message.method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
  expect(message.callId).toBe('intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
  expect(message.fromTag).toBe("_token~1'+`*%!-.");
  expect(parseNameAddr(message.header('From')!)?.params.get("fromparam''~+*_!.-%")).toBe('работающий');
  expect(parseSipUri(message.requestUri)?.host).toBe('example.com');
  expect(message.topVia?.branch).toBe("z9hG4bK-.!%66*_+`'~");
});

test('3.1.1.3 Valid Use of the % Escaping Mechanism (esc01)', () => {
  const message = parsed(torture('esc01'));
  expect(parseSipUri(message.requestUri)?.user).toBe('sips%3Auser%40example.com');
  expect(message.header('Contact')).toBe('<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>');
});

test('3.1.1.5 Use of % When It Is Not an Escape (esc02): no other method, and two Contacts', () => {
  const message = parsed(torture('esc02'));
  expect(message.method).toBe('RE%47IST%45R');
  expect(message.listValues('Contact')).toEqual(['<sip:alias1@host1.example.com>', '<sip:alias3@host3.example.com>']);
});

test('3.1.1.8 Extra Trailing Octets in a UDP Datagram (dblreq)', () => {
  const message = parsed(torture('dblreq'));
  expect([message.method, message.callId, message.body.length]).toEqual([
    'REGISTER',
    'dblreq.0ha0isndaksdj99sdfafnl3lk233412',
    0,
  ]);
});

test('3.1.1.7 Long Values in Header Fields (longreq)', () => {
  const message = parsed(torture('longreq'));
  expect(message.listValues('Via').length).toBe(34);
  expect(message.topVia?.host).toBe('sip33.example.com');
  expect(parseNameAddr(message.header('To')!)?.displayName).toBe(
    'I have a user name of extremeextremeextremeextremeextremeextremeextremeextremeextremeextreme proportion',
  );
});

test('3.1.1.11 Multipart MIME Message (mpart01): octets that are no text', () => {
  const { body } = parsed(torture('mpart01'));
  expect(body.length).toBe(553);
  expect(body.subarray(-22).toString()).toBe('--7a9cbec02ceef655--\r\n');
});

test('3.4.1 INVITE with RFC 2543 Syntax (inv2543)', () => {
  const message = parsed(torture('inv2543'));
  expect([message.fromTag, message.topVia?.branch, message.body.length]).toEqual([null, null, 105]);
});

test.each([
  ['3.1.1.6 No LWS between Display Name and < (lwsdisp)', 'accepted', TORTURE.lwsdisp],
  ['3.1.1.13 Empty Reason Phrase (noreason)', 'accepted', TORTURE.noreason],
  [
    '3.1.2.1 Extraneous Header Field Separators (badinv01): lenient, the RFC would refuse',
    'accepted',
    TORTURE.badinv01,
  ],
  ['3.1.2.2 Content Length Larger Than Message (clerr)', 'truncated, refused', TORTURE.clerr],
  ['3.1.2.3 Negative Content-Length (ncl)', 'content-length, refused', TORTURE.ncl],
  ['3.1.2.4 Request Scalar Fields with Overlarge Values (scalar02)', 'missing-header, refused', TORTURE.scalar02],
  ['3.1.2.5 Response Scalar Fields with Overlarge Values (scalarlg)', 'missing-header, dropped', TORTURE.scalarlg],
  ['3.1.2.6 Unterminated Quoted String in Display Name (quotbal): lenient', 'accepted', TORTURE.quotbal],
  ['3.1.2.7 <> Enclosing Request-URI (ltgtruri): lenient', 'accepted', TORTURE.ltgtruri],
  ['3.1.2.8 Malformed SIP Request-URI: embedded LWS (lwsruri)', 'start-line, refused', TORTURE.lwsruri],
  ['3.1.2.9 Multiple SP Separating Request-Line Elements (lwsstart): lenient', 'accepted', TORTURE.lwsstart],
  ['3.1.2.10 SP Characters at End of Request-Line (trws): lenient', 'accepted', TORTURE.trws],
  ['3.1.2.15 Non-token Characters in Display Name (baddn): lenient', 'accepted', TORTURE.baddn],
  ['3.1.2.16 Unknown Protocol Version (badvers)', 'version, refused', TORTURE.badvers],
  ['3.1.2.17 Start Line and CSeq Method Mismatch (mismatch01)', 'missing-header, refused', TORTURE.mismatch01],
  ['3.1.2.19 Overlarge Response Code (bigcode)', 'start-line, dropped', TORTURE.bigcode],
  ['3.2.1 Missing Transaction Identifier (badbranch)', 'accepted', TORTURE.badbranch],
  ['3.3.1 Missing Required Header Fields (insuf)', 'missing-header, dropped', TORTURE.insuf],
  ['3.3.3 Request-URI with Known but Atypical Scheme (novelsc): the user says 416', 'accepted', TORTURE.novelsc],
  ['3.3.8 Multiple Values in Single Value Required Fields (multi01)', 'duplicate-header, refused', TORTURE.multi01],
  ['3.3.9 Multiple Content-Length Values (mcl01)', 'content-length, refused', TORTURE.mcl01],
  [
    '3.3.10 200 OK Response with Broadcast Via Header Field Value (bcast): matches nothing later',
    'accepted',
    TORTURE.bcast,
  ],
])('%s: %s', (_, expected, text) => {
  expect(verdict(sip(text))).toBe(expected);
});
