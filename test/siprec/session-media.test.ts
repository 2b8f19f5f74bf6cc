// What a restart must not forget of offers and answers.
import { expect, test } from 'vitest';
import type { Unwanted } from '../../src/recording/recorder-interface.ts';
import { SessionMedia } from '../../src/siprec/session-media.ts';

const sdp = (...directions: string[]) =>
  ['v=0', 's=-', 't=0 0']
    .concat(
      directions.flatMap((direction, i) => [`m=audio ${4000 + 2 * i} RTP/AVP 0`, `a=${direction}`, `a=label:${i}`]),
    )
    .map((line) => `${line}\r\n`)
    .join('');
const addresses = new Map(['0', '1'].map((key, i) => [key, { rtpPort: 40_000 + 2 * i, rtcpPort: 40_001 + 2 * i }]));
const NONE = new Map<string, Unwanted>();
const restarted = (media: SessionMedia) => SessionMedia.restore(JSON.parse(JSON.stringify(media.snapshot())));
const directions = (text: string) => [...text.matchAll(/^a=(recvonly|inactive)/gm)].map(([, direction]) => direction);

/** The client echoes our pause of stream 0 in an offer of its own: that is no hold of the client's. */
function echoed(): SessionMedia {
  const media = new SessionMedia({ sessionId: '1' });
  media.applyOffer(sdp('sendonly', 'sendonly'));
  media.answer(addresses, '192.0.2.1', new Map([['0', 'paused']]));
  media.applyOffer(sdp('inactive', 'sendonly'));
  media.answer(addresses, '192.0.2.1', new Map([['0', 'paused']]));
  return media;
}

test.each([
  ['without a restart', (media: SessionMedia) => media],
  ['after a restart', restarted],
])('a hold that only echoes our pause ends with it, %s', (_, went) => {
  const media = went(echoed());
  expect(directions(media.offer(addresses, '192.0.2.1', NONE))).toEqual(['recvonly', 'recvonly']);
});

test('after a restart an inactive that we asked for is still no hold', () => {
  const media = new SessionMedia({ sessionId: '1' });
  media.applyOffer(sdp('sendonly', 'sendonly'));
  media.answer(addresses, '192.0.2.1', NONE);
  media.offer(addresses, '192.0.2.1', new Map([['0', 'paused']]));
  const streams = restarted(media).acceptOffer(sdp('inactive', 'inactive'));
  expect(streams?.map(({ sending }) => sending)).toEqual([true, false]);
});

test('a hold in the answer to an offer of ours outlives a restart', () => {
  const media = new SessionMedia({ sessionId: '1' });
  media.applyOffer(sdp('sendonly', 'sendonly'));
  media.offer(addresses, '192.0.2.1', NONE);
  media.acceptOffer(sdp('sendonly', 'inactive'));
  expect(directions(restarted(media).answer(addresses, '192.0.2.1', NONE))).toEqual(['recvonly', 'inactive']);
});
