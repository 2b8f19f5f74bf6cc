import { expect, test } from 'vitest';
import { SrtpReception } from '../../../src/rtp/srtp/reception.ts';
import { createSrtpSender } from '../../../src/rtp/srtp/sender.ts';
import { advanceTo, masterKey, protectRtcp, protectRtp, rtcp, rtp, unprotectRtcp, unprotectRtp } from './packets.ts';

const CM = 'AES_CM_128_HMAC_SHA1_80';

test('a re-offer with the same keys changes nothing', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const reception = new SrtpReception([key], { rocSearch: 1 });
  const sent = [65_535, 0].map((sequenceNumber) => protectRtp(sender, rtp(sequenceNumber)));
  expect(sent.map((packet) => unprotectRtp(reception, packet))).toEqual([rtp(65_535), rtp(0)]);
  for (let n = 0; n < 3; n++) {
    reception.renegotiate([{ ...key, masterKey: Uint8Array.from(key.masterKey), parameters: {} }]);
  }
  expect(unprotectRtp(reception, sent[1]!)).toBe('srtpReplay');
  expect(unprotectRtp(reception, protectRtp(sender, rtp(1))), 'the rollover counter stays').toEqual(rtp(1));
});

test('new keys are taken at once, the old ones for as long as packets come under them', () => {
  const [before, after] = [createSrtpSender(masterKey(CM, 'before')), createSrtpSender(masterKey(CM, 'after'))];
  const reception = new SrtpReception([masterKey(CM, 'before')]);
  expect(reception.suite).toBeNull();
  expect(unprotectRtp(reception, protectRtp(before, rtp(1)))).toEqual(rtp(1));
  expect(unprotectRtp(reception, protectRtp(after, rtp(1)))).toBe('srtpAuth');
  reception.renegotiate([masterKey(CM, 'after')]);
  expect(reception.suite).toBe(CM);
  const old = protectRtp(before, rtp(2));
  expect(unprotectRtp(reception, old)).toEqual(rtp(2));
  expect(unprotectRtp(reception, protectRtp(after, rtp(3)))).toEqual(rtp(3));
  expect(unprotectRtp(reception, protectRtp(before, rtp(4)))).toEqual(rtp(4));
  expect(unprotectRtp(reception, old)).toBe('srtpReplay');
  expect(unprotectRtcp(reception, protectRtcp(before, rtcp()))).toEqual(rtcp());
  expect(unprotectRtcp(reception, protectRtcp(after, rtcp()))).toEqual(rtcp());
  expect(unprotectRtp(reception, protectRtp(createSrtpSender(masterKey(CM, 'x')), rtp(5)))).toBe('srtpAuth');
});

test.each([
  ['begins at 0 (RFC 4568 7.1.4)', 0],
  ['goes on (RFC 3711 3.3.1)', 7],
])('under the new key the rollover counter %s', (_, roc) => {
  const [before, after] = [createSrtpSender(masterKey(CM, 'before')), createSrtpSender(masterKey(CM, 'after'))];
  const reception = new SrtpReception([masterKey(CM, 'before')]);
  advanceTo(before, 7);
  expect(unprotectRtp(reception, protectRtp(before, rtp(100)))).toEqual(rtp(100));
  if (roc > 0) advanceTo(after, roc);
  reception.renegotiate([masterKey(CM, 'after')]);
  expect(unprotectRtp(reception, protectRtp(after, rtp(101)))).toEqual(rtp(101));
});

test('keys that cannot be used leave those in use', () => {
  const key = masterKey(CM, 'a');
  const reception = new SrtpReception([key]);
  expect(() => reception.renegotiate([])).toThrow(RangeError);
  expect(unprotectRtp(reception, protectRtp(createSrtpSender(key), rtp(1)))).toEqual(rtp(1));
});
