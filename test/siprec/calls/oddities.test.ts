// What real clients put into bodies, SDP and metadata besides what the RFCs' examples have; judged on the finished recording.
import { beforeEach, describe, expect, test } from 'vitest';
import { metadata, offer } from '../texts.ts';
import { type Message, nothingLeftOpen, VirtualClient } from './virtual-client.ts';
import { TONES, VirtualRecorder } from './virtual-recorder.ts';

const CS = 'hVpd7YQgRW2nD22h7q60JQ==';
const { alice, bob } = TONES;
const party = (id: string, ...sends: string[]) => ({ id, sends, sessionId: CS });
const XML = metadata({ parties: [party('alice', '0'), party('bob', '1')] });
const SDP = offer('0', '1');
const SIPREC = ['Require: siprec'];

let recorder: VirtualRecorder;
let client: VirtualClient;

beforeEach(async () => {
  recorder = await VirtualRecorder.create();
  client = new VirtualClient(recorder);
  nothingLeftOpen(recorder);
});

/** Alice and Bob talk for half a second into the streams with labels 0 and 1. */
async function talk(message: Message) {
  const answer = await client.call(message);
  recorder.talk({ port: client.port('0'), hz: alice }, { port: client.port('1'), hz: bob });
  await recorder.pass(500);
  await client.send('BYE');
  const [call] = await recorder.finished();
  return { answer, call };
}

/** Both are heard, each in the channel of the party that the metadata names. */
async function expectWhole(message: Message) {
  const { answer, call } = await talk(message);
  expect(answer?.status).toBe(200);
  expect(call!.document.participants.map(({ id, channel }) => [id, channel])).toEqual([
    ['alice', 0],
    ['bob', 1],
  ]);
  expect([call!.hears(0, alice, 50, 450), call!.hears(1, bob, 50, 450)]).toEqual([true, true]);
  return { answer, warnings: call!.document.warnings.map(({ code }) => code) };
}

describe('multipart bodies', () => {
  const part = (lines: string[], text: string) => [...lines, '', text].join('\r\n');
  const sdpPart = part(['Content-Type: application/sdp'], SDP);
  const xmlPart = part(['Content-Type: application/rs-metadata+xml', 'Content-Disposition: recording-session'], XML);
  const body = (...parts: string[]) => `--b\r\n${parts.join('\r\n--b\r\n')}\r\n--b--\r\n`;
  const nested = `--in\r\n${sdpPart}\r\n--in\r\n${part(['Content-Type: text/plain'], 'or so')}\r\n--in--\r\n`;

  test.each<[string, string, string]>([
    [
      'a preamble and an epilogue',
      'multipart/mixed;boundary=b',
      `not for machines\r\n${body(sdpPart, xmlPart)}nor this\r\n`,
    ],
    [
      'types in lower and upper case',
      'MULTIPART/MIXED; BOUNDARY=b',
      body(sdpPart.replace('application/sdp', 'APPLICATION/SDP'), xmlPart.replace('Content-Type', 'content-type')),
    ],
    [
      'application/rs-metadata without +xml',
      'multipart/mixed;boundary="b"',
      body(sdpPart, xmlPart.replace('+xml', '')),
    ],
    [
      'text/xml',
      'multipart/mixed;boundary="b"',
      body(sdpPart, xmlPart.replace('application/rs-metadata+xml', 'text/xml')),
    ],
    [
      'Content-Disposition with handling, and session for the SDP',
      'multipart/mixed;boundary=b',
      body(
        part(['Content-Disposition: session;handling=required', 'Content-Type: application/sdp'], SDP),
        xmlPart.replace('recording-session', 'recording-session;handling=optional'),
      ),
    ],
    [
      'Content-Disposition: render',
      'multipart/mixed;boundary=b',
      body(sdpPart, xmlPart.replace('recording-session', 'render')),
    ],
    [
      'SDP in a multipart/alternative',
      'multipart/mixed;boundary=b',
      body(part(['Content-Type: multipart/alternative;boundary=in'], nested), xmlPart),
    ],
    [
      'multipart/related with start and Content-ID',
      'multipart/related;type="application/sdp";start="<sdp@x>";boundary=b',
      body(part(['Content-ID: <sdp@x>', 'Content-Type: application/sdp'], SDP), xmlPart),
    ],
    [
      'a binary part between',
      'multipart/mixed;boundary=b',
      body(
        sdpPart,
        part(['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: binary'], '\u0000\u0001\u0002--b'),
        xmlPart,
      ),
    ],
    [
      'ISUP before everything',
      'multipart/mixed;boundary=b',
      body(
        part(
          ['Content-Type: application/ISUP;version=itu-t92+', 'Content-Disposition: signal;handling=optional'],
          '\u0001\u0000',
        ),
        sdpPart,
        xmlPart,
      ),
    ],
    [
      'metadata in base64',
      'multipart/mixed;boundary=b',
      body(
        sdpPart,
        part(
          ['Content-Type: application/rs-metadata+xml', 'Content-Transfer-Encoding: base64'],
          Buffer.from(XML).toString('base64').replace(/.{76}/g, '$&\r\n'),
        ),
      ),
    ],
  ])('%s', async (_name, type, text) => {
    await expectWhole({ body: { type, text } });
  });

  test.each(['application/sdp', 'multipart/mixed;boundary=b'])(
    'a %s in an encoding that we do not have: 415 says which to use instead',
    async (type) => {
      const lines = [...SIPREC, 'Content-Encoding: gzip'];
      const answer = await client.invite({ body: { type, text: '\u001f\u008b\b' }, lines });
      expect([answer?.status, answer?.headers['Accept-Encoding']]).toEqual([415, 'identity']);
    },
  );

  test('a Content-Encoding that is not true costs nothing', async () => {
    await expectWhole({ sdp: SDP, metadata: XML, lines: ['Content-Encoding: gzip'] });
  });
});

describe('metadata', () => {
  test.each<[string, string]>([
    ['a byte order mark', `\uFEFF${XML}`],
    ['UTF-16 declared, UTF-8 sent', XML.replace('UTF-8', 'UTF-16')],
    ['UTF-16 little-endian, as it comes through a text interface', `\uFFFD\uFFFD${[...XML].join('\u0000')}\u0000`],
    ['a prefix on every element', XML.replace(/<(\/?)(?=\w)/g, '<$1rec:').replace('xmlns=', 'xmlns:rec=')],
    ['no declaration and no namespace', XML.replace(/<\?.*\?>\r\n/, '').replace(/ xmlns="[^"]*"/, '')],
    ['a stylesheet and comments', XML.replace('?>', '?><?xml-stylesheet href="x"?><!-- <participant> -->')],
  ])('%s', async (_name, xml) => {
    await expectWhole({ sdp: SDP, metadata: xml });
  });

  test('vendor data: kept as JSON for the call and each party, and used where it says who called', async () => {
    const party = (calling: boolean) =>
      `</nameID><extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata"><apkt:callingParty>${calling}</apkt:callingParty><apkt:request-uri>sip:1@x</apkt:request-uri></extensiondata></participant>`;
    const xml = XML.replace('</nameID></participant>', party(false))
      .replace('</nameID></participant>', party(true))
      .replace(
        '</session>',
        '<ac:AvayaUCID xmlns:ac="http://AudioCodes">00FA080019001038F72EA1</ac:AvayaUCID></session>',
      );
    const { call } = await talk({ sdp: SDP, metadata: xml });
    expect(call!.document.call.vendor).toEqual({ AvayaUCID: '00FA080019001038F72EA1' });
    expect(
      call!.document.participants.map(({ id, role, channel, rule, vendor }) => [id, role, channel, rule, vendor]),
    ).toEqual([
      ['bob', 'caller', 0, 'stated-role', { callingParty: 'true', 'request-uri': 'sip:1@x' }],
      ['alice', 'callee', 1, 'stated-role', { callingParty: 'false', 'request-uri': 'sip:1@x' }],
    ]);
    expect([call!.hears(0, bob, 50, 450), call!.hears(1, alice, 50, 450)]).toEqual([true, true]);
  });

  test('a group that is named later', async () => {
    await client.call({ sdp: SDP, metadata: XML });
    recorder.talk({ port: client.port('0'), hz: alice });
    await recorder.pass(200);
    const grouped = metadata({ parties: [party('alice', '0'), party('bob', '1')], group: 'sales-queue' });
    await client.send('UPDATE', { metadata: grouped });
    await client.send('BYE');
    const [call] = await recorder.finished();
    expect([call!.document.call.groupId, call!.document.metadata.length]).toEqual(['sales-queue', 2]);
  });

  test('tel: URIs, with and without a + and parameters', async () => {
    const parties = [
      { ...party('alice', '0'), aor: 'tel:+4930123456' },
      { ...party('bob', '1'), aor: 'tel:110;phone-context=+49' },
    ];
    const { call } = await talk({ sdp: SDP, metadata: metadata({ parties }) });
    expect(call!.document.participants.map(({ aor, channel }) => [aor, channel])).toEqual([
      ['tel:+4930123456', 0],
      ['tel:110;phone-context=+49', 1],
    ]);
  });

  test('tel: URIs in the header fields of a client without metadata', async () => {
    const { call } = await talk({ sdp: SDP, lines: ['From: <tel:+4930123456>;tag=a', 'To: <tel:110>', ...SIPREC] });
    expect(call!.document.participants.map(({ aor }) => aor)).toEqual(['tel:+4930123456', 'tel:110']);
  });
});

describe('SDP', () => {
  const inEach = (...attributes: string[]) =>
    SDP.replaceAll('a=sendonly\r\n', `${attributes.map((each) => `a=${each}\r\n`).join('')}a=sendonly\r\n`);

  test.each<[string, string]>([
    ['rtcp, rtcp-mux and ssrc', inEach('rtcp:53000', 'rtcp-mux', 'ssrc:12345 cname:x', 'ssrc-group:FID 1 2')],
    [
      'BUNDLE, mid and ICE',
      inEach(
        'mid:x',
        'ice-ufrag:abcd',
        'ice-pwd:0123456789012345678901',
        'candidate:1 1 UDP 2130706431 192.0.2.1 35000 typ host',
      ).replace('t=0 0\r\n', 't=0 0\r\na=group:BUNDLE x\r\na=ice-options:trickle\r\n'),
    ],
    ['IPv6', SDP.replaceAll('IP4 192.0.2.1', 'IP6 2001:db8::1')],
    ['a host name', SDP.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 sbc.example')],
    [
      'telephone-event, comfort noise and codecs that we lack',
      SDP.replaceAll(
        'RTP/AVP 0\r\n',
        'RTP/AVP 96 0 13 101\r\na=rtpmap:96 EVS/16000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n',
      ),
    ],
    ['RTP/AVPF', SDP.replaceAll('RTP/AVP', 'RTP/AVPF')],
    ['bare LF', SDP.replaceAll('\r\n', '\n')],
    [
      'no connection line for the session',
      SDP.replace('c=IN IP4 192.0.2.1\r\n', '').replaceAll('a=sendonly', 'c=IN IP4 192.0.2.1\r\na=sendonly'),
    ],
    ['an m-line with two ports', SDP.replace('m=audio 35000 ', 'm=audio 35000/2 ')],
    ['lines that no grammar has', `${SDP}x=1\r\nnonsense\r\na=\r\n`],
  ])('%s', async (_name, sdp) => {
    const { answer } = await expectWhole({ sdp, metadata: XML });
    expect(answer?.body).not.toMatch(/rtcp-mux|BUNDLE|candidate|ice-/);
  });

  test.each<[string, string]>([
    ['video', 'm=video 36000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=sendonly\r\na=label:v\r\n'],
    [
      'messages',
      'm=message 36000 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.1:36000/x;tcp\r\na=label:m\r\n',
    ],
    ['T.38', 'm=image 36000 udptl t38\r\na=T38FaxVersion:0\r\na=label:f\r\n'],
    ['BFCP', 'm=application 36000 TCP/BFCP *\r\na=setup:actpass\r\n'],
    ['real-time text', 'm=text 36000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\na=label:t\r\n'],
  ])('%s beside the audio is refused alone, in its place, and the recording says so', async (_name, section) => {
    const sdp = SDP.replace('m=audio 35002', `${section}m=audio 35002`);
    const { answer, warnings } = await expectWhole({ sdp, metadata: XML });
    const [, media, protocol, formats] = /^m=(\w+) \d+ (\S+) (.*)\r$/m.exec(section)!;
    const lines = answer?.body?.match(/^m=.*$/gm)?.map((line) => line.trim().replace(/ 4\d{4} /, ' port '));
    expect(lines).toEqual(['m=audio port RTP/AVP 0', `m=${media} 0 ${protocol} ${formats}`, 'm=audio port RTP/AVP 0']);
    expect(warnings).toEqual(['media-not-recorded']);
  });

  test('a fax in the middle: the audio makes way for T.38 and comes back to its ports', async () => {
    await client.call({ sdp: SDP, metadata: XML });
    const ports = [client.port('0'), client.port('1')];
    recorder.talk({ port: ports[0]!, hz: alice }, { port: ports[1]!, hz: bob });
    await recorder.pass(500);
    const fax = SDP.replaceAll(/m=audio (\d+) RTP\/AVP 0\r\na=sendonly/g, 'm=image $1 udptl t38\r\na=sendonly');
    expect((await client.send('INVITE', { sdp: fax, metadata: XML }))?.status).toBe(200);
    await recorder.pass(500);
    await client.send('INVITE', { sdp: SDP, metadata: XML });
    recorder.hush();
    recorder.talk({ port: client.port('0'), hz: alice }, { port: client.port('1'), hz: bob });
    await recorder.pass(500);
    await client.send('BYE');
    const [call, ...others] = await recorder.finished();
    expect(others).toEqual([]);
    expect([call!.channels, call!.document.participants.map(({ channel }) => channel)]).toEqual([2, [0, 1]]);
    for (const [channel, hz] of [alice, bob].entries()) {
      expect(call!.hears(channel, hz, 50, 450)).toBe(true);
      expect(call!.silent(channel, 600, 950)).toBe(true);
      expect(call!.hears(channel, hz, 1_100, 1_400)).toBe(true);
    }
  });
});

describe('header fields', () => {
  test.each<[string, string[]]>([
    ['no Require, no tag, metadata alone', []],
    ['Require folded over lines', ['Require:\r\n siprec,\r\n\t100rel']],
    ['option tags that nobody knows are required', ['Require: siprec, x-vendor, replaces']],
    ['Supported in compact form', ['k: siprec,timer']],
    ['Replaces names a dialog that is none of ours', ['Replaces: 12345@sbc;to-tag=a;from-tag=b']],
    [
      'Subject, Date, Organization, an empty header field and one without a value',
      ['Subject: x', 'Date: now', 'Organization:', 'X-Empty:'],
    ],
  ])('%s', async (_name, lines) => {
    await expectWhole({ sdp: SDP, metadata: XML, lines });
  });

  test('an INVITE with Replaces, as a standby takes over: the same call, one recording', async () => {
    await client.call({ sdp: SDP, metadata: XML });
    recorder.talk({ port: client.port('0'), hz: alice });
    await recorder.pass(500);
    const standby = new VirtualClient(recorder);
    await standby.call({ sdp: SDP, metadata: XML, lines: [`Replaces: ${client.callId};to-tag=t;from-tag=a`] });
    recorder.hush();
    recorder.talk({ port: standby.port('0'), hz: alice });
    await recorder.pass(500);
    await client.send('BYE');
    await standby.send('BYE');
    const [call, ...others] = await recorder.finished();
    expect(others).toEqual([]);
    expect([call!.hears(0, alice, 50, 450), call!.hears(0, alice, 600, 950)]).toEqual([true, true]);
    expect(call!.document.sessions.map(({ joinedBy }) => joinedBy)).toEqual(['first', 'session-id']);
  });
});
