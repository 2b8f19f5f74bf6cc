import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAnswer } from '../../src/client/answer.ts';

const sdp = (session: string[], ...media: string[][]) =>
  ['v=0', 'o=srs 1 1 IN IP4 10.0.0.1', 's=-', ...session, 't=0 0', ...media.flat(), ''].join('\r\n');
const at = (host: string, rtpPort: number, rtcpPort = rtpPort + 1) => ({ host, rtpPort, rtcpPort });

describe('an answer is read', () => {
  test('by label, in whatever order the m-lines come', () => {
    const body = sdp(
      ['c=IN IP4 10.0.0.1'],
      ['m=audio 4002 RTP/AVP 0', 'a=recvonly', 'a=label:1'],
      ['m=audio 4000 RTP/AVP 0', 'a=recvonly', 'a=label:0'],
    );
    expect(readAnswer(body, ['0', '1'])).toEqual({
      ok: true,
      streams: [
        { label: '0', destination: at('10.0.0.1', 4000) },
        { label: '1', destination: at('10.0.0.1', 4002) },
      ],
    });
  });

  test('by position where there are no labels; c= and a=rtcp of an m-line count for it', () => {
    const body = sdp(
      ['c=IN IP4 10.0.0.1'],
      ['m=audio 4000 RTP/AVP 0', 'a=rtcp:4500'],
      ['m=audio 4002 RTP/AVP 0', 'c=IN IP4 10.0.0.2'],
    );
    expect(readAnswer(body, ['0', '1'])).toEqual({
      ok: true,
      streams: [
        { label: '0', destination: at('10.0.0.1', 4000, 4500) },
        { label: '1', destination: at('10.0.0.2', 4002) },
      ],
    });
  });

  test.each([
    ['port 0', ['m=audio 0 RTP/AVP 0', 'a=label:0']],
    ['inactive', ['m=audio 4000 RTP/AVP 0', 'a=inactive', 'a=label:0']],
    ['sendonly, which leaves nobody to receive', ['m=audio 4000 RTP/AVP 0', 'a=sendonly', 'a=label:0']],
    ['the old hold address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0', 'a=label:0']],
    ['another label in its place', ['m=audio 4000 RTP/AVP 0', 'a=label:7']],
    ['no m-line', []],
  ])('as not wanting the stream: %s', (_what, media) => {
    const body = sdp(['c=IN IP4 10.0.0.1'], media);
    expect(readAnswer(body, ['0'])).toEqual({ ok: true, streams: [{ label: '0', destination: null }] });
  });

  test('from the SDP part of a multipart body', () => {
    const body = `--b\r\nContent-Type: application/sdp\r\n\r\n${sdp(['c=IN IP4 10.0.0.1'], ['m=audio 4000 RTP/AVP 0', 'a=label:0'])}--b\r\nContent-Type: application/rs-metadata+xml\r\n\r\n<x/>\r\n--b--\r\n`;
    expect(readAnswer(body, ['0'])).toEqual({
      ok: true,
      streams: [{ label: '0', destination: at('10.0.0.1', 4000) }],
    });
  });

  test('as a mistake without SDP', () => {
    expect(readAnswer('', ['0'])).toEqual({ ok: false, reason: 'the answer has no SDP' });
  });

  test('without ever throwing', () => {
    const line = fc.constantFrom(
      'v=0',
      'c=IN IP4 1.2.3.4',
      'c=',
      'm=audio 4000 RTP/AVP 0',
      'm=audio',
      'm=',
      'a=label:',
      'a=label:0',
      'a=rtcp:x',
      '--',
      '',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
        const reading = readAnswer(lines.join('\r\n'), ['0', '1']);
        if (reading.ok) expect(reading.streams.map(({ label }) => label)).toEqual(['0', '1']);
      }),
      { numRuns: 500 },
    );
  });
});
