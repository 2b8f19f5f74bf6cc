import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OrekaHeader, readDatagram } from '../../src/oreka/datagram.ts';
import { cpuTime } from '../support/cpu-time.ts';
import { bye, CALL_ID, captured, invite, message } from './texts.ts';

const fixtures = fileURLToPath(new URL('../fixtures/oreka/', import.meta.url));
const everyCapture = readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.bin'))
  .map((name) => name.slice(0, -4))
  .sort();

const custom = (headers: OrekaHeader[]) => headers.filter(({ name }) => name.startsWith('X-'));
const reason = (text: string) => {
  const reading = readDatagram(Buffer.from(text));
  return reading.ok ? 'readable' : reading.reason;
};

describe('captured datagrams', () => {
  test('INVITE RX', () => {
    const { headers, ...rest } = message(captured('normal/sip-001-INVITE-RX'));
    expect(rest).toEqual({
      method: 'INVITE',
      requestUri: 'sip:1002@127.0.0.40:5060',
      callId: CALL_ID,
      side: 'rx',
      media: { host: '127.0.0.1', port: 18756, sourceHost: '127.0.0.40', pid: '17277' },
    });
    expect(headers).toEqual([
      { name: 'Via', value: `SIP/2.0/UDP 127.0.0.40:5061;branch=z9hG4bK-${CALL_ID}` },
      { name: 'From', value: '<sip:2001@127.0.0.40:5061;tag=1>' },
      { name: 'To', value: '<sip:1002@127.0.0.40:5060>' },
      { name: 'Call-ID', value: CALL_ID },
      { name: 'CSeq', value: '1 INVITE' },
      { name: 'Contact', value: 'sip:freeswitch@127.0.0.40:5061' },
      { name: 'Max-Forwards', value: '70' },
      { name: 'Subject', value: 'BEGIN RX recording of Alice' },
      { name: 'Content-Type', value: 'application/sdp' },
      { name: 'Content-Length', value: '208' },
    ]);
  });

  test('BYE with blanks in the request-URI', () => {
    const { headers: _, ...rest } = message(captured('foreign-phone/sip-003-BYE-RX'));
    expect(rest).toEqual({
      method: 'BYE',
      requestUri: 'sip:Outbound Call@127.0.0.40:5060',
      callId: '6494a232-8ac7-439e-9dba-066d5b0763f4',
      side: 'rx',
    });
  });

  test('custom headers in UTF-8', () => {
    expect(custom(message(captured('xheaders/sip-002-INVITE-TX')).headers)).toEqual([
      { name: 'X-Agent-Id', value: '4711' },
      { name: 'X-Customer', value: 'Müller & Co; vip=yes' },
      { name: 'X-Mixed-Case', value: 'prefix matched without case' },
    ]);
    expect(custom(message(captured('xheaders/sip-003-BYE-RX')).headers)).toEqual([
      { name: 'X-Disposition', value: 'sale closed' },
    ]);
  });

  test('every one of them, by its file name', () => {
    expect(everyCapture.length).toBe(42);
    for (const name of everyCapture) {
      const [, method, side] = /sip-\d+-(\w+)-(RX|TX)/.exec(name)!;
      const read = message(captured(name));
      expect([name, read.method, read.side]).toEqual([name, method, side!.toLowerCase()]);
    }
  });
});

describe('what the module copies into the text', () => {
  test('a request-URI of any words', () => {
    const read = message(invite({ requestUri: 'sip:Sales <DE> "A;B"@127.0.0.40:5060' }));
    expect(read.requestUri).toBe('sip:Sales <DE> "A;B"@127.0.0.40:5060');
  });

  test('a name with a line break in the first line', () => {
    expect(message(invite({ requestUri: 'sip:Al\nice@127.0.0.40:5060' })).requestUri).toBe(
      'sip:Al ice@127.0.0.40:5060',
    );
  });

  test('a line break in a value makes a header, and the first occurrence of a name counts', () => {
    const { callId, side, headers } = message(
      invite({
        headers: ['X-Note: one\nCall-ID: other', 'Subject: BEGIN TX recording of Eve', 'X-Note: two\nand a half'],
      }),
    );
    expect([callId, side]).toEqual([CALL_ID, 'rx']);
    expect(custom(headers)).toEqual([
      { name: 'X-Note', value: 'one' },
      { name: 'X-Note', value: 'two\nand a half' },
    ]);
    expect(headers.filter(({ name }) => name === 'Call-ID')).toHaveLength(2);
  });

  test('an empty line in a value does not hide the SDP, nor does what looks like SDP before it', () => {
    const read = message(invite({ headers: ['X-Note: first\n\nv=0\nm=audio 5000 RTP/AVP 0\nc=IN IP4 192.0.2.1'] }));
    expect(read).toMatchObject({ side: 'rx', media: { host: '127.0.0.1', port: 18756 } });
  });

  test('the caller name decides nothing about the side', () => {
    expect(message(bye({ side: 'TX', callerName: 'RX recording of' })).side).toBe('tx');
  });

  test('a datagram of 60 kB', () => {
    const read = message(invite({ headers: [`X-Long: ${'x'.repeat(60_000)}`] }));
    expect(custom(read.headers)[0]?.value).toHaveLength(60_000);
  });
});

describe('other writers of the same text', () => {
  test('LF only, names in lower case, blanks before colons', () => {
    const text = invite()
      .toString()
      .replaceAll('\r\n', '\n')
      .replace('Call-ID:', 'call-id :')
      .replace('Subject', 'SUBJECT');
    expect(message(Buffer.from(text))).toMatchObject({ callId: CALL_ID, side: 'rx', media: { port: 18756 } });
  });

  test('SDP in the right order, with t= and a numeric session id', () => {
    const [head] = invite().toString().split('\r\n\r\n');
    const sdp = [
      'v=0',
      'o=freeswitch 1700000000 1 IN IP4 10.0.0.5',
      's=Phone Recording (TX)',
      'i=FreeSWITCH Oreka Recorder (pid=99)',
      'c=IN IP4 10.0.0.9',
      't=0 0',
      'm=audio 30000 RTP/AVP 0',
      'a=rtpmap:0 PCMU/8000',
    ].join('\r\n');
    const read = message(Buffer.from(`${head!.replace('BEGIN RX recording of', 'call of')}\r\n\r\n${sdp}\r\n`));
    expect(read).toMatchObject({
      side: 'tx',
      media: { host: '10.0.0.9', port: 30000, sourceHost: '10.0.0.5', pid: '99' },
    });
  });

  test('an IPv6 address under the label IP4', () => {
    expect(message(invite({ host: '::1' }))).toMatchObject({ media: { host: '::1', sourceHost: '127.0.0.40' } });
  });

  test('names instead of addresses, no i=', () => {
    const text = invite({ host: 'recorder.example', sourceHost: 'pbx.example' })
      .toString()
      .replace(/^i=.*\r\n/m, '');
    expect(message(Buffer.from(text))).toMatchObject({ media: { host: null, sourceHost: null, pid: null } });
  });

  test('a text that tells no side', () => {
    expect([message(invite({ side: null })).side, message(bye({ side: null })).side]).toEqual([null, null]);
  });
});

describe('what cannot be used is named', () => {
  test.each([
    ['empty', ''],
    ['empty', '\r\n\r\n'],
    ['response', 'SIP/2.0 200 OK\r\nCall-ID: a\r\n\r\n'],
    ['no-start-line', 'GET / HTTP/1.1\r\n\r\n'],
    ['no-start-line', 'BYE SIP/2.0\r\n\r\n'],
    ['no-start-line', 'hello'],
    ['other-method', 'OPTIONS sip:a@b SIP/2.0\r\nCall-ID: a\r\n\r\n'],
    ['no-call-id', 'BYE sip:a@b SIP/2.0\r\nSubject: END RX recording of x\r\n\r\n'],
    ['no-call-id', 'BYE sip:a@b SIP/2.0\r\nCall-ID: with blank\r\n\r\n'],
    ['no-call-id', `BYE sip:a@b SIP/2.0\r\nCall-ID: ${'x'.repeat(257)}\r\n\r\n`],
    ['no-media', invite().toString().replace('m=audio', 'm=video')],
    ['no-media', invite().toString().split('\r\n\r\n')[0]!],
    ['port-unusable', invite({ port: 53 }).toString()],
    ['port-unusable', invite({ port: 65_536 }).toString()],
    ['port-unusable', invite({ port: 0 }).toString()],
  ])('%s', (expected, text) => {
    expect(reason(text)).toBe(expected);
  });
});

describe('anything', () => {
  const sane = (datagram: Buffer) => {
    const reading = readDatagram(datagram);
    if (!reading.ok) return typeof reading.reason === 'string';
    const { message } = reading;
    const portOk = message.method === 'BYE' || (message.media.port >= 1024 && message.media.port <= 65535);
    return (
      portOk && /^[\x21-\x7e]{1,256}$/.test(message.callId) && !/[\r\n]/.test(message.headers.map((h) => h.name).join())
    );
  };

  test('octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (octets) => sane(Buffer.from(octets))),
      { numRuns: 300 },
    );
  });

  test('mutated captures: octets changed, cut, doubled', () => {
    const edits = fc.array(
      fc.record({ at: fc.nat(900), octet: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'double') }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(fc.constantFrom(...everyCapture), edits, (name, changes) => {
        let octets = captured(name);
        for (const { at, octet, kind } of changes) {
          const place = at % octets.length;
          if (kind === 'set') octets[place] = octet;
          else if (kind === 'cut') octets = octets.subarray(0, Math.max(place, 1));
          else octets = Buffer.concat([octets.subarray(0, place), octets.subarray(place >> 1)]);
        }
        return sane(octets);
      }),
      { numRuns: 400 },
    );
  });

  test('65,507 line breaks, colons or blanks are read in milliseconds', () => {
    const { cpuMs } = cpuTime(() => {
      for (const octet of ['\n', ':', ' ', 'a: b\n', 'v=0\n']) {
        const text = `INVITE sip:a SIP/2.0\nCall-ID: a\n${octet.repeat(65_400 / octet.length)}`;
        expect(readDatagram(Buffer.from(text)).ok).toBe(false);
      }
    });
    expect(cpuMs).toBeLessThan(500);
  });
});
