import { describe, expect, test } from 'vitest';
import {
  addToTag,
  copyRecordRoute,
  createAckForFailure,
  createCancel,
  createRequest,
  createResponse,
} from '../../../src/sip-server/message/build.ts';
import { clientVia, formatVia } from '../../../src/sip-server/message/via.ts';
import { FIXTURES, fixture, parsed, sip } from '../support/messages.ts';

const INVITE = parsed(
  sip(`
INVITE sip:srs@127.0.0.1:5090 SIP/2.0
v: SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb , SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa
Via: SIP/2.0/UDP 10.0.0.0
f: "A, B" <sip:alice@10.0.0.1>;tag=f1
t: <sip:srs@127.0.0.1>
i: call@10.0.0.1
CSeq: 0007   INVITE
Record-Route: <sip:p1;lr>,<sip:p2,x;lr>
Record-Route: <sip:p3;lr>
Route: <sip:r1;lr>
Timestamp: 12.5
X-Multi: a
X-Multi: b
l: 3

abc`),
);

describe('reading', () => {
  test('names match in any case and in compact or long form', () => {
    expect(INVITE.header('CALL-id')).toBe('call@10.0.0.1');
    expect(INVITE.header('i')).toBe('call@10.0.0.1');
    expect(INVITE.headerValues('x-multi')).toEqual(['a', 'b']);
    expect(INVITE.header('Subject')).toBeUndefined();
  });

  test('lists are split outside quotes and brackets, across lines', () => {
    expect(INVITE.listValues('Via')).toEqual([
      'SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb',
      'SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa',
      'SIP/2.0/UDP 10.0.0.0',
    ]);
    expect(INVITE.listValues('Record-Route')).toEqual(['<sip:p1;lr>', '<sip:p2,x;lr>', '<sip:p3;lr>']);
  });

  test('the identifying headers', () => {
    expect({ ...INVITE.cseq }).toEqual({ number: 7, method: 'INVITE' });
    expect([INVITE.callId, INVITE.fromTag, INVITE.toTag]).toEqual(['call@10.0.0.1', 'f1', null]);
    expect(INVITE.topVia).toMatchObject({ transport: 'UDP', host: '10.0.0.2', port: 5070, branch: 'z9hG4bKb' });
    expect([INVITE.kind, INVITE.method, INVITE.requestUri]).toEqual(['request', 'INVITE', 'sip:srs@127.0.0.1:5090']);
  });

  test('cached values follow changes', () => {
    const message = INVITE.clone();
    expect(message.toTag).toBeNull();
    addToTag(message, 'new');
    expect(message.toTag).toBe('new');
    expect(message.header('To')).toBe('<sip:srs@127.0.0.1>;tag=new');
    addToTag(message, 'other');
    expect(message.toTag).toBe('new');
    message.set('CSeq', '8 BYE');
    expect(message.cseq).toEqual({ number: 8, method: 'BYE' });
    expect(INVITE.toTag).toBeNull();
  });

  test.each([
    ['4294967295 INVITE', { number: 4294967295, method: 'INVITE' }],
    ['4294967296 INVITE', null],
    ['INVITE', null],
    ['-1 INVITE', null],
    ['1', null],
    ['1 IN VITE', null],
  ])('CSeq %j', (value, expected) => {
    const message = createRequest('INVITE', 'sip:x');
    message.append('CSeq', value);
    expect(message.cseq).toEqual(expected);
  });
});

describe('changing', () => {
  function names(message: typeof INVITE): string[] {
    return message.headers.map(({ name, value }) => `${name}=${value}`);
  }

  test('set, append, prepend, remove and replaceFirst keep the order of the rest', () => {
    const message = createRequest('INVITE', 'sip:x');
    message.append('A-1', '1');
    message.append('Via', 'v1');
    message.append('A-1', '2');
    message.append('B-1', '3');
    message.prepend('v', 'v0');
    expect(names(message)).toEqual(['v=v0', 'A-1=1', 'Via=v1', 'A-1=2', 'B-1=3']);
    message.set('a-1', '9');
    expect(names(message)).toEqual(['v=v0', 'a-1=9', 'Via=v1', 'B-1=3']);
    expect(message.replaceFirst('Via', 'vx')).toBe(true);
    expect(message.replaceFirst('C-1', 'x')).toBe(false);
    expect(names(message)).toEqual(['v=vx', 'a-1=9', 'Via=v1', 'B-1=3']);
    message.remove('Via');
    message.set('D-1', '4');
    expect(names(message)).toEqual(['a-1=9', 'B-1=3', 'D-1=4']);
  });

  test('no value can become a header, a start line or a body of its own', () => {
    const message = createRequest('OPTIONS', 'sip:x\r\nX-Evil: 1');
    message.append('X-A', 'one\r\nX-Evil: 2\n\n\0three');
    message.append('Bad Name', 'x');
    message.append('Bad:Name', 'x');
    message.append('', 'x');
    message.set('X-B\r\nX-Evil', 'x');
    expect(message.toBytes().toString()).toBe(
      'OPTIONS sip:x X-Evil: 1 SIP/2.0\r\nX-A: one X-Evil: 2 three\r\nContent-Length: 0\r\n\r\n',
    );
  });

  test('replaceTopVia leaves the other values of its line alone', () => {
    const message = INVITE.clone();
    message.replaceTopVia(clientVia('tcp', '::1', 5060, 'z9hG4bKx'));
    expect(message.headers[0]).toEqual({
      name: 'v',
      value: 'SIP/2.0/TCP [::1]:5060;branch=z9hG4bKx;rport, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa',
    });
    expect(formatVia(message.topVia!)).toBe('SIP/2.0/TCP [::1]:5060;branch=z9hG4bKx;rport');
  });
});

describe('writing', () => {
  test.each(FIXTURES)('%s comes out as it went in, but for the place of Content-Length', (name) => {
    const bytes = fixture(name);
    const message = parsed(bytes);
    const lines = (all: Buffer) => all.toString('latin1').split('\r\n\r\n')[0]!.split('\r\n').sort();
    expect(lines(message.toBytes())).toEqual(lines(bytes));
    const bodyOf = (all: Buffer) => all.subarray(all.indexOf('\r\n\r\n') + 4).toString('latin1');
    expect(bodyOf(message.toBytes())).toBe(bodyOf(bytes));
    expect(message.toText()).toBe(bytes.toString());
  });

  test('Content-Length is counted in bytes, whatever the headers said', () => {
    const message = createRequest('MESSAGE', 'sip:x');
    message.append('Content-Length', '9');
    message.append('l', '99');
    message.append('Content-Type', 'text/plain');
    message.body = Buffer.from('Jürgen 中文');
    expect(message.toBytes().toString()).toBe(
      'MESSAGE sip:x SIP/2.0\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nJürgen 中文',
    );
    expect(message.toText()).toBe(
      'MESSAGE sip:x SIP/2.0\r\nContent-Length: 14\r\nContent-Type: text/plain\r\n\r\nJürgen 中文',
    );
  });

  test('toText expands compact names and keeps everything else', () => {
    expect(INVITE.toText()).toBe(
      sip(`
INVITE sip:srs@127.0.0.1:5090 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb , SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa
Via: SIP/2.0/UDP 10.0.0.0
From: "A, B" <sip:alice@10.0.0.1>;tag=f1
To: <sip:srs@127.0.0.1>
Call-ID: call@10.0.0.1
CSeq: 0007   INVITE
Record-Route: <sip:p1;lr>,<sip:p2,x;lr>
Record-Route: <sip:p3;lr>
Route: <sip:r1;lr>
Timestamp: 12.5
X-Multi: a
X-Multi: b
Content-Length: 3

abc`).toString(),
    );
  });

  test('toText of bytes that are not UTF-8 loses none of them, and its length fits', () => {
    const message = createRequest('MESSAGE', 'sip:x');
    message.body = Buffer.from([0x4a, 0xfc, 0x72, 0x67, 0x65, 0x6e]);
    expect(message.toText()).toBe('MESSAGE sip:x SIP/2.0\r\nContent-Length: 7\r\n\r\nJürgen');
  });

  test('toText leaves out names that drachtio-srf would decode into other names', () => {
    const message = createRequest('MESSAGE', 'sip:x');
    message.append('C%6Fntent-Length', '1');
    expect(message.toText()).toBe('MESSAGE sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n');
  });

  test('a head in Latin-1 goes back in Latin-1', () => {
    const text = INVITE.toText().replace('"A, B"', '"J\u00fcrgen"');
    const message = parsed(Buffer.from(text, 'latin1'));
    const response = createResponse(message, 200, 'OK');
    expect(response.toBytes().includes(Buffer.from('From: "J\u00fcrgen"', 'latin1'))).toBe(true);
    response.append('X-Name', '中文');
    expect(response.toBytes().includes(Buffer.from('From: "Jürgen"'))).toBe(true);
    expect(response.toBytes().includes(Buffer.from('X-Name: 中文'))).toBe(true);
  });
});

describe('building', () => {
  test('a response repeats what identifies the request', () => {
    const response = createResponse(INVITE, 180, 'Ringing');
    expect(response.toBytes().toString()).toBe(
      sip(`
SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb , SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa
Via: SIP/2.0/UDP 10.0.0.0
From: "A, B" <sip:alice@10.0.0.1>;tag=f1
To: <sip:srs@127.0.0.1>
Call-ID: call@10.0.0.1
CSeq: 0007   INVITE
Content-Length: 0

`).toString(),
    );
    expect(response.method).toBe('INVITE');
    expect(createResponse(INVITE, 100, 'Trying').header('Timestamp')).toBe('12.5');
  });

  test('Record-Route on demand', () => {
    const response = createResponse(INVITE, 200, 'OK');
    copyRecordRoute(INVITE, response);
    expect(response.headerValues('Record-Route')).toEqual(['<sip:p1;lr>,<sip:p2,x;lr>', '<sip:p3;lr>']);
  });

  test('ACK for a failure: RFC 3261 §17.1.1.3', () => {
    const response = createResponse(INVITE, 486, 'Busy Here');
    addToTag(response, 't1');
    expect(createAckForFailure(INVITE, response).toBytes().toString()).toBe(
      sip(`
ACK sip:srs@127.0.0.1:5090 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb
Route: <sip:r1;lr>
Max-Forwards: 70
From: "A, B" <sip:alice@10.0.0.1>;tag=f1
To: <sip:srs@127.0.0.1>;tag=t1
Call-ID: call@10.0.0.1
CSeq: 7 ACK
Content-Length: 0

`).toString(),
    );
  });

  test('CANCEL: RFC 3261 §9.1; extra headers cannot replace its own', () => {
    const cancel = createCancel(INVITE, [
      { name: 'Reason', value: 'SIP;cause=200' },
      { name: 'To', value: '<sip:evil>' },
      { name: 'v', value: 'SIP/2.0/UDP evil' },
    ]);
    expect(cancel.toBytes().toString()).toBe(
      sip(`
CANCEL sip:srs@127.0.0.1:5090 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bKb
Route: <sip:r1;lr>
Max-Forwards: 70
From: "A, B" <sip:alice@10.0.0.1>;tag=f1
To: <sip:srs@127.0.0.1>
Call-ID: call@10.0.0.1
CSeq: 7 CANCEL
Reason: SIP;cause=200
Content-Length: 0

`).toString(),
    );
  });
});
