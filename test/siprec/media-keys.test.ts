// The keys of a session over its offers: whose media may come, and what of our answers stays.
import { describe, expect, test } from 'vitest';
import type { StreamSrtp } from '../../src/recording/media.ts';
import { SessionMedia } from '../../src/siprec/session-media.ts';

const text = (octet: number) => Buffer.alloc(30, octet).toString('base64');
const crypto = (octet: number, tag = 1, suite = 'AES_CM_128_HMAC_SHA1_80') =>
  `a=crypto:${tag} ${suite} inline:${text(octet)}`;

interface Line {
  label: string;
  protocol?: string;
  attributes?: string[];
}
const sdp = (...lines: Line[]) =>
  [
    'v=0',
    's=-',
    'c=IN IP4 192.0.2.1',
    ...lines.flatMap(({ label, protocol = 'RTP/SAVP', attributes = [] }) => [
      `m=audio 4000 ${protocol} 0`,
      ...attributes,
      'a=sendonly',
      `a=label:${label}`,
    ]),
    '',
  ].join('\r\n');

/** The answer's crypto lines after that offer, and each stream's keys. */
function exchange(media: SessionMedia, offer: string) {
  const { streams, warnings } = media.applyOffer(offer);
  const addresses = new Map((streams ?? []).map(({ key }) => [key, { rtpPort: 40_000, rtcpPort: 40_001 }]));
  const answer = media.answer(addresses, '192.0.2.10', new Map());
  return {
    srtp: (streams ?? []).map((stream) => stream.srtp),
    answered: answer.split('\r\n').filter((line) => line.startsWith('a=crypto')),
    warnings,
  };
}
const receiving = (srtp: StreamSrtp | undefined) => srtp?.receiving.map(({ keySalt }) => keySalt);

describe('the keys of a session', () => {
  test('each stream has its own m-line’s first, then those of the others: forked media is under the phones’', () => {
    const offer = sdp({ label: 'a', attributes: [crypto(1)] }, { label: 'b', attributes: [crypto(2), crypto(3, 2)] });
    const { srtp, answered } = exchange(new SessionMedia({ sessionId: '1' }), offer);
    expect(srtp.map(receiving)).toEqual([
      [text(1), text(2), text(3)],
      [text(2), text(3), text(1)],
    ]);
    expect(srtp.map((each) => each?.plainToo)).toEqual([false, false]);
    // A key of our own for each m-line, and none of theirs.
    expect(new Set([...answered.map((line) => line.split('inline:')[1]), text(1), text(2), text(3)]).size).toBe(5);
    expect(srtp.map((each) => each?.sending?.keySalt)).toEqual(answered.map((line) => line.split('inline:')[1]));
  });

  test('our key stays when the client’s changes, with the new tag; another suite gets another key', () => {
    const media = new SessionMedia({ sessionId: '1' });
    const [first] = exchange(media, sdp({ label: 'a', attributes: [crypto(1)] })).answered;
    expect(exchange(media, sdp({ label: 'a', attributes: [crypto(1)] })).answered).toEqual([first]);
    const rekeyed = exchange(media, sdp({ label: 'a', attributes: [crypto(2, 7)] }));
    expect(rekeyed.answered).toEqual([first!.replace('crypto:1', 'crypto:7')]);
    expect(receiving(rekeyed.srtp[0])).toEqual([text(2)]);
    const [other] = exchange(
      media,
      sdp({ label: 'a', attributes: [crypto(2, 1, 'AES_CM_128_HMAC_SHA1_32')] }),
    ).answered;
    expect(other!.split('inline:')[1]).not.toBe(first!.split('inline:')[1]);
  });

  test('a stream whose m-line moves and a new one beside it: keys follow the label', () => {
    const media = new SessionMedia({ sessionId: '1' });
    const [a] = exchange(media, sdp({ label: 'a', attributes: [crypto(1)] })).answered;
    const moved = sdp({ label: 'new', attributes: [crypto(9)] }, { label: 'a', attributes: [crypto(1)] });
    const { answered } = exchange(media, moved);
    expect(answered[1]).toBe(a);
    expect(answered[0]).not.toBe(a);
  });

  test('RTP/AVP: with keys both are taken; without, those of the rest of the session are candidates', () => {
    const offer = sdp(
      { label: 'a', protocol: 'RTP/AVP', attributes: [crypto(1)] },
      { label: 'b', protocol: 'RTP/AVP' },
    );
    const { srtp, answered } = exchange(new SessionMedia({ sessionId: '1' }), offer);
    expect(srtp.map(receiving)).toEqual([[text(1)], [text(1)]]);
    expect(srtp).toMatchObject([{ plainToo: true }, { plainToo: true, sending: null }]);
    expect(answered).toHaveLength(1);
    expect(exchange(new SessionMedia({ sessionId: '1' }), sdp({ label: 'a', protocol: 'RTP/AVP' })).srtp).toEqual([
      undefined,
    ]);
  });

  test('keys that an offer drops are remembered as candidates', () => {
    const media = new SessionMedia({ sessionId: '1' });
    exchange(media, sdp({ label: 'a', attributes: [crypto(1)] }));
    const [srtp] = exchange(media, sdp({ label: 'a', protocol: 'RTP/AVP' })).srtp;
    expect({ keys: receiving(srtp), plainToo: srtp?.plainToo }).toEqual({ keys: [text(1)], plainToo: true });
  });

  test('a DTLS stream is refused alone, with a warning in words', () => {
    const dtls = { label: 'b', protocol: 'UDP/TLS/RTP/SAVPF', attributes: ['a=fingerprint:sha-256 AA:BB'] };
    const { srtp, answered, warnings } = exchange(
      new SessionMedia({ sessionId: '1' }),
      sdp({ label: 'a', attributes: [crypto(1)] }, dtls),
    );
    expect([srtp.length, answered.length]).toEqual([1, 1]);
    expect(warnings).toEqual([
      {
        code: 'dtls-not-supported',
        message:
          'The audio stream with label b was refused: it asks for DTLS-SRTP; only keys in the SDP (a=crypto) are supported.',
      },
    ]);
  });

  test('a session that is built again from plain data answers with the same keys', () => {
    const offer = sdp({ label: 'a', attributes: [crypto(1)] }, { label: 'b', attributes: [crypto(2)] });
    const media = new SessionMedia({ sessionId: '1' });
    const before = exchange(media, offer);
    const restored = SessionMedia.restore(JSON.parse(JSON.stringify(media.snapshot())));
    expect(restored.localSdp).toBe(media.localSdp);
    expect(exchange(restored, offer)).toEqual(before);
  });
});
