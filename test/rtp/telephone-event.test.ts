import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import {
  dtmfDigit,
  readTelephoneEvent,
  TELEPHONE_EVENT_OCTETS,
  TelephoneEvent,
} from '../../src/rtp/telephone-event.ts';
import { readPcap } from '../support/pcap.ts';

function read(octets: Uint8Array, start = 0, end = octets.length): TelephoneEvent | null {
  const event = new TelephoneEvent();
  return readTelephoneEvent(octets, start, end, event) ? { ...event } : null;
}

describe('payload (RFC 4733 §2.3)', () => {
  test.each([
    ['the key 1 begins', [1, 0x0a, 0x00, 0xa0], { event: 1, end: false, volume: 10, duration: 160 }],
    ['the key # ends', [11, 0x8a, 0x06, 0x40], { event: 11, end: true, volume: 10, duration: 1600 }],
    ['quietest, longest', [0, 0x3f, 0xff, 0xff], { event: 0, end: false, volume: 63, duration: 65_535 }],
    ['the reserved bit is ignored', [15, 0x40, 0x00, 0x00], { event: 15, end: false, volume: 0, duration: 0 }],
    ['everything set', [255, 0xff, 0xff, 0xff], { event: 255, end: true, volume: 63, duration: 65_535 }],
  ])('%s', (_name, octets, expected) => {
    expect(read(Uint8Array.from(octets))).toEqual(expected);
  });

  test('cut at every octet', () => {
    const octets = Uint8Array.of(1, 2, 3, 4);
    expect([0, 1, 2, 3].map((end) => read(octets, 0, end))).toEqual([null, null, null, null]);
    expect(read(octets, 1, 4)).toBeNull();
  });

  test('a cut event leaves the object as it was', () => {
    const event = new TelephoneEvent();
    readTelephoneEvent(Uint8Array.of(5, 0x83, 0x01, 0x02), 0, 4, event);
    expect(readTelephoneEvent(Uint8Array.of(6, 6, 6), 0, 3, event)).toBe(false);
    expect({ ...event }).toEqual({ event: 5, end: true, volume: 3, duration: 258 });
  });

  test('several events in one packet (§2.5.1.5)', () => {
    const octets = Uint8Array.of(99, 1, 0x8a, 0, 160, 2, 0x0a, 0, 80);
    expect(read(octets, 1)).toEqual({ event: 1, end: true, volume: 10, duration: 160 });
    expect(read(octets, 1 + TELEPHONE_EVENT_OCTETS)).toEqual({ event: 2, end: false, volume: 10, duration: 80 });
    expect(read(octets, 1 + 2 * TELEPHONE_EVENT_OCTETS)).toBeNull();
  });

  test('any four octets hold one event', () => {
    const fields = [fc.nat(255), fc.boolean(), fc.boolean(), fc.nat(63), fc.nat(0xffff)] as const;
    fc.assert(
      fc.property(...fields, (event, end, reserved, volume, duration) => {
        const flags = (end ? 0x80 : 0) | (reserved ? 0x40 : 0) | volume;
        const octets = Uint8Array.of(event, flags, duration >> 8, duration & 0xff);
        expect(read(octets)).toEqual({ event, end, volume, duration });
      }),
    );
  });
});

test('DTMF digits (RFC 4733 §3.2)', () => {
  const digits = Array.from({ length: 256 }, (_, event) => dtmfDigit(event));
  expect(digits.slice(0, 16).join('')).toBe('0123456789*#ABCD');
  expect(digits.slice(16)).toEqual(Array(240).fill(null));
  expect([dtmfDigit(-1), dtmfDigit(1.5)]).toEqual([null, null]);
});

test('a captured call: five keys of 160 ms, each with its end repeated', () => {
  const file = readFileSync(new URL('../fixtures/opensips/dtmf-rfc4733/dtmf-rfc4733.pcap', import.meta.url));
  const header = new RtpHeader();
  const keys: { digit: string | null; durations: number[]; ends: number; volume: number }[] = [];
  let rtpTime = -1;
  for (const { destination, payload } of readPcap(file)) {
    if (destination.port !== 42_102 || readRtpHeader(payload, 0, payload.length, header) !== null) continue;
    if (header.payloadType !== 101) continue;
    const event = read(payload, header.payloadStart, header.payloadEnd)!;
    if (header.rtpTime !== rtpTime)
      keys.push({ digit: dtmfDigit(event.event), durations: [], ends: 0, volume: event.volume });
    rtpTime = header.rtpTime;
    keys.at(-1)!.durations.push(event.duration);
    if (event.end) keys.at(-1)!.ends++;
  }
  const durations = [160, 320, 480, 640, 800, 960, 1120, 1280, 1280, 1280];
  expect(keys).toEqual(['1', '2', '3', '4', '#'].map((digit) => ({ digit, durations, ends: 3, volume: 10 })));
});
