import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSrtpContext } from '../../../src/rtp/srtp/context.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS } from '../../../src/rtp/srtp/sender.ts';
import { octets } from './hex.ts';
import { masterKey, protectRtcp, protectRtp, rtcp, rtp, SUITES } from './packets.ts';

const keys = SUITES.flatMap((suite) => [
  masterKey(suite, 'plain'),
  masterKey(suite, 'with MKI', { mki: octets('01'), parameters: { keyDerivationRate: 4 } }),
]);
const into = Buffer.alloc(2048);

test('random octets never throw and never open', () => {
  // One counter only: a 32-bit tag is guessed once in 4 billion tries, and this test is to fail less often than that.
  const context = createSrtpContext(keys, { rocSearch: 1 });
  for (const key of keys) {
    const packet = protectRtp(createSrtpSender(key), rtp(1));
    context.unprotectRtp(packet, 0, packet.length, into);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, plausible) => {
      if (plausible && bytes.length >= 12) bytes.set([0x80, 8, 0, 2, 0, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe]);
      expect(context.unprotectRtp(bytes, 0, bytes.length, into)).toBeTypeOf('string');
      expect(context.unprotectRtcp(bytes, 0, bytes.length, into)).toBeTypeOf('string');
    }),
    { numRuns: 500 },
  );
});

test.each(SUITES)('%s: a packet cut, grown or changed anywhere never throws and never opens', (suite) => {
  const key = masterKey(suite, 'a', { mki: octets('a5') });
  const sender = createSrtpSender(key);
  const known = createSrtpContext([key], { rocSearch: 2 });
  const first = protectRtp(sender, rtp(1));
  known.unprotectRtp(first, 0, first.length, into);
  const packets = [protectRtp(sender, rtp(2)), protectRtcp(sender, rtcp())];
  fc.assert(
    fc.property(
      fc.constantFrom(...packets),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom('cut', 'grow', 'change'),
      (packet, where, by, how) => {
        const at = where % packet.length;
        let damaged = Buffer.from(packet);
        if (how === 'cut') damaged = damaged.subarray(0, at);
        else if (how === 'grow') damaged = Buffer.concat([packet.subarray(0, at), Buffer.of(by), packet.subarray(at)]);
        else damaged[at] = damaged[at]! ^ by;
        for (const context of [known, createSrtpContext([key], { rocSearch: 2 })]) {
          expect(context.unprotectRtp(damaged, 0, damaged.length, into)).toBeTypeOf('string');
          expect(context.unprotectRtcp(damaged, 0, damaged.length, into)).toBeTypeOf('string');
        }
      },
    ),
    { numRuns: 150 },
  );
  for (const [packet, open] of [
    [packets[0]!, known.unprotectRtp.bind(known)],
    [packets[1]!, known.unprotectRtcp.bind(known)],
  ] as const) {
    expect(open(packet, 0, packet.length, into), 'undamaged').toBe(packet === packets[0] ? 172 : 28);
  }
});

test('whatever has a header is protected and opened again', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...keys),
      fc.uint8Array({ minLength: 12, maxLength: 400 }),
      fc.nat(20),
      (key, bytes, start) => {
        bytes[0] = bytes[0]! & 0x23;
        const packet = Buffer.concat([Buffer.alloc(start, 0xff), bytes]);
        const sent = Buffer.alloc(bytes.length + MAX_OVERHEAD_OCTETS);
        const context = createSrtpContext([key]);
        const sender = createSrtpSender(key);
        const length = sender.protectRtp(packet, start, packet.length, sent);
        if (length === 'srtpTooShort') return;
        expect(context.unprotectRtp(sent, 0, length as number, into)).toBe(bytes.length);
        expect(into.subarray(0, bytes.length).equals(bytes)).toBe(true);
        const rtcpLength = sender.protectRtcp(packet, start, packet.length, sent);
        expect(context.unprotectRtcp(sent, 0, rtcpLength as number, into)).toBe(bytes.length);
        expect(into.subarray(0, bytes.length).equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
