import { readFileSync } from 'node:fs';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { CLIENT_CODECS } from '../../src/client/codec.ts';
import { escapeXml, type MetadataDocument, writeMetadata } from '../../src/client/metadata-document.ts';
import {
  freshMetadataId,
  OFFER_CONTENT_TYPE,
  type SessionDescription,
  writeOffer,
  writeSdp,
} from '../../src/client/offer.ts';

const fixture = (path: string) => {
  const message = readFileSync(new URL(`../fixtures/opensips/${path}`, import.meta.url), 'utf8');
  const end = message.indexOf('\r\n\r\n');
  return { head: message.slice(0, end), body: message.slice(end + 4) };
};

// Ids and times as in the capture.
const metadata: MetadataDocument = {
  sessionId: 'eL+Hgm4qQb+9z6KCxlpW/w==',
  sipSessionId: '1-19290@127.0.40.3',
  groupId: null,
  parties: [
    { participantId: 'cWri0voUSiuNcSQ8IdgEWA==', aor: 'sip:alice@127.0.40.3:5060', name: 'Alice Smith' },
    { participantId: 'KMAJaFvgSaKxgP7FBxu28g==', aor: 'sip:bob@127.0.40.1:5060', name: 'Bob Jones' },
  ],
  streams: [
    { streamId: 'FMffiqczSbmK9BLaXbaLag==', label: '0', sender: 0 },
    { streamId: 'dvje+2a4Q+6zzFqDw0c+wg==', label: '1', sender: 1 },
  ],
  associateMs: Date.parse('2026-11-21T01:00:52Z'),
};
const description: SessionDescription = {
  host: '127.0.0.1',
  originId: 1795222853,
  originVersion: 0,
  media: [
    { label: '0', port: 35001, codec: CLIENT_CODECS.pcmu, direction: 'sendonly' },
    { label: '1', port: 35002, codec: CLIENT_CODECS.pcmu, direction: 'sendonly' },
  ],
};

describe('the offer', () => {
  test('is octet for octet what OpenSIPS 3.6.8 sends for such a call', () => {
    const { head, body } = fixture('udp-basic/001-INVITE.sip');
    expect(writeOffer(description, metadata)).toBe(body);
    expect(head).toContain(`Content-Type: ${OFFER_CONTENT_TYPE}\r\n`);
  });

  test('on hold differs in the direction of that m-line alone', () => {
    const { body } = fixture('hold-sendonly/005-INVITE.sip');
    const media = description.media.map((offered) =>
      offered.label === '1' ? { ...offered, direction: 'inactive' as const } : offered,
    );
    const [capturedSdp] = body.split('\r\n\r\n').slice(1);
    expect(writeSdp({ ...description, originId: 1795222878, media })).toBe(`${capturedSdp}\r\n`);
  });

  test('L16 comes with telephone-event on its own clock, IPv6 is said to be so', () => {
    const media = [{ label: '0', port: 4000, codec: CLIENT_CODECS.l16, direction: 'sendonly' as const }];
    expect(writeSdp({ host: '::1', originId: 1, originVersion: 2, media }).split('\r\n')).toEqual([
      'v=0',
      'o=- 1 2 IN IP6 ::1',
      's=-',
      'c=IN IP6 ::1',
      't=0 0',
      'm=audio 4000 RTP/AVP 96 101',
      'a=rtpmap:96 L16/16000',
      'a=rtpmap:101 telephone-event/16000',
      'a=fmtp:101 0-15',
      'a=ptime:20',
      'a=sendonly',
      'a=label:0',
      '',
    ]);
  });
});

describe('metadata', () => {
  test('names and addresses survive an XML parser, whatever is in them', () => {
    const name = `Smith & <Sons> "Ltd" 'x' \u0007中文 \u{1f3a7}`;
    const text = writeMetadata({
      ...metadata,
      groupId: 'a&b',
      parties: [
        { participantId: 'p0', aor: 'sip:al&ice@example.com', name },
        { participantId: 'p1', aor: 'tel:+49', name: null },
      ],
    });
    const parsed = new XMLParser({ ignoreAttributes: false }).parse(text);
    expect(parsed.recording.participant).toEqual([
      {
        '@_participant_id': 'p0',
        nameID: { '@_aor': 'sip:al&ice@example.com', name: name.replace('\u0007', '') },
      },
      { '@_participant_id': 'p1', nameID: { '@_aor': 'tel:+49' } },
    ]);
    expect(parsed.recording.group['@_group_id']).toBe('a&b');
    expect(parsed.recording.session['group-ref']).toBe('a&b');
  });

  test('of three parties: each sends its own stream and receives the others', () => {
    const three: MetadataDocument = {
      ...metadata,
      parties: ['a', 'b', 'c'].map((id) => ({ participantId: id, aor: id, name: null })),
      streams: ['a', 'b', 'c'].map((id, sender) => ({ streamId: `s${id}`, label: String(sender), sender })),
    };
    const parsed = new XMLParser({ ignoreAttributes: false }).parse(writeMetadata(three));
    expect(parsed.recording.participantstreamassoc).toEqual([
      { '@_participant_id': 'a', send: 'sa', recv: ['sb', 'sc'] },
      { '@_participant_id': 'b', send: 'sb', recv: ['sa', 'sc'] },
      { '@_participant_id': 'c', send: 'sc', recv: ['sa', 'sb'] },
    ]);
  });

  test('lone surrogates and control characters never reach the document', () => {
    expect(escapeXml('a\ud800b\u0000c\uffffd\te')).toBe('a\ufffdbcd\te');
  });

  test('ids are 16 octets in base64', () => {
    const id = freshMetadataId();
    expect(Buffer.from(id, 'base64')).toHaveLength(16);
    expect(id).toHaveLength(24);
    expect(freshMetadataId()).not.toBe(id);
  });
});
