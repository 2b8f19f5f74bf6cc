import { describe, expect, test } from 'vitest';
import { SRTP_SUITES } from '../../src/rtp/srtp/suites.ts';
import { judgeInvite } from '../../src/siprec/invite.ts';
import { readOffer } from '../../src/siprec/sdp.ts';
import { METADATA, SDP, withDirection } from './bodies.ts';

const judge = (
  sdp: string | null,
  lines: Record<string, string> = {},
  metadata: string | null = null,
  plain = false,
) => {
  const headers = Object.entries(lines).map(([name, value]) => ({ name, value }));
  const body = {
    sdp,
    metadata: metadata === null ? null : { contentType: 'application/rs-metadata+xml', text: metadata },
    others: [],
    warnings: [],
  };
  const refusal = judgeInvite(headers, body, readOffer(sdp ?? '').mediaLines, plain);
  return refusal && [refusal.status, refusal.headers.Warning];
};
const sendrecv = withDirection('sendrecv');

describe('what is recorded', () => {
  test.each([
    ['metadata', sendrecv, {}, METADATA],
    ['metadata that nobody can read', sendrecv, {}, 'garbage'],
    ['Require: siprec', sendrecv, { Require: 'timer, SIPREC' }, null],
    ['+sip.src', sendrecv, { Contact: '<sip:a@b>;+sip.src' }, null],
    ['+sip.src inside the brackets, compact', sendrecv, { m: '<sip:a@b;+sip.src>' }, null],
    ['+sip-src', sendrecv, { Contact: '<sip:a@b>;+sip-src' }, null],
    ['src', sendrecv, { Contact: '<sip:a@b> ; src' }, null],
    ['an offer that only sends', SDP, {}, null],
    ['an offer on hold', withDirection('inactive'), {}, null],
  ])('%s', (_name, sdp, lines, metadata) => {
    expect(judge(sdp, lines, metadata)).toBe(null);
  });

  test('plain calls if allowed', () => {
    expect(judge(sendrecv, {}, null, true)).toBe(null);
  });
});

describe('what is refused, and why', () => {
  const mark = { Require: 'siprec' };
  test.each([
    ['no SDP and no mark', null, {}, null, 'Not a recording session: no SDP, no metadata and no siprec mark.'],
    ['an empty SDP part', '', mark, METADATA, 'The SDP part is empty.'],
    ['SDP without m-lines', 'v=0\r\ns=-\r\n', mark, METADATA, 'The SDP has no m-line.'],
    ['garbage as SDP', 'hello', mark, METADATA, 'The SDP has no m-line.'],
    ['port 0 only', SDP.replace(/audio \d+/g, 'audio 0'), mark, METADATA, 'Every audio stream has port 0.'],
    ['video only', SDP.replaceAll('m=audio', 'm=video'), mark, METADATA, 'There is no audio stream.'],
    [
      'SRTP only',
      SDP.replaceAll('RTP/AVP', 'RTP/SAVP'),
      mark,
      METADATA,
      `No a=crypto line that can be used. Suites: ${Object.keys(SRTP_SUITES).join(' ')}.`,
    ],
    [
      'DTLS only',
      SDP.replaceAll('RTP/AVP', 'UDP/TLS/RTP/SAVP'),
      mark,
      METADATA,
      'DTLS-SRTP is not supported: offer RTP/SAVP with a=crypto, or RTP/AVP.',
    ],
    [
      'another transport',
      SDP.replaceAll('RTP/AVP', 'TCP/RTP/AVP'),
      mark,
      METADATA,
      'No audio stream has a transport and formats that can be recorded.',
    ],
    [
      'a plain call',
      sendrecv,
      { Contact: '<sip:src@b:5060>;+sip.srs;+sip.instance="x"' },
      null,
      'Not a recording session: no metadata, no siprec mark, and the client wants to receive.',
    ],
  ])('%s', (_name, sdp, lines, metadata, why) => {
    expect(judge(sdp, lines, metadata)).toEqual([488, `399 sipreel "${why}"`]);
  });
});
