// Telephone events become key presses, one per key, and never sound.
import { describe, expect, test } from 'vitest';
import { KeyPresses } from '../../src/render/dtmf.ts';
import { silentBetween, toneLevel } from '../support/listen.ts';
import { EVENTS, keyPress, PCMU, type SyntheticPacket, talk, tone } from '../support/synthetic-journal.ts';
import { eventsOf, render } from './rendered.ts';

const base: Omit<SyntheticPacket, 'payload'> = {
  streamId: 's0',
  arrivalMs: 0,
  payloadType: 101,
  sequenceNumber: 1,
  rtpTime: 16_000,
  ssrc: 5,
};

function presses(packets: SyntheticPacket[], limit = 100) {
  const keys = new KeyPresses(limit);
  for (const { payload, arrivalMs, ...header } of packets) {
    keys.observe(payload, 0, payload.length, header, 8000, arrivalMs);
  }
  return { heard: keys.presses.map(({ digit, rtpTime, durationTicks }) => [digit, rtpTime, durationTicks]), keys };
}

describe('key presses', () => {
  test('many packets and three ends are one press', () => {
    expect(presses(keyPress(base, 5, 800)).heard).toEqual([['5', 16_000, 800]]);
  });

  test('the same key twice is two presses; two SSRCs are told apart', () => {
    const packets = [
      ...keyPress(base, 1, 400),
      ...keyPress({ ...base, rtpTime: 20_000 }, 1, 480),
      ...keyPress({ ...base, ssrc: 6, rtpTime: 20_000 }, 1, 560),
    ];
    expect(presses(packets).heard).toEqual([
      ['1', 16_000, 400],
      ['1', 20_000, 480],
      ['1', 20_000, 560],
    ]);
  });

  test('late and repeated packets of an earlier press change nothing', () => {
    const first = keyPress(base, 11, 800);
    const second = keyPress({ ...base, rtpTime: 20_000 }, 10, 480);
    expect(presses([...first, ...second, ...first, first[1]!, second[0]!]).heard).toEqual([
      ['#', 16_000, 800],
      ['*', 20_000, 480],
    ]);
  });

  test('all packets with the end lost: the last word counts', () => {
    expect(presses(keyPress(base, 15, 800).slice(0, 3)).heard).toEqual([['D', 16_000, 480]]);
  });

  test('RFC 4733 §2.5.1.3: an event longer than the field goes on in a new segment', () => {
    const segment = (rtpTime: number, duration: number, end: boolean): SyntheticPacket => ({
      ...base,
      rtpTime,
      payload: Uint8Array.of(7, end ? 0x8a : 0x0a, duration >> 8, duration),
    });
    const packets = [
      segment(16_000, 0x8000, false),
      segment(16_000, 0xffff, false),
      segment(16_000 + 0xffff, 800, false),
      segment(16_000 + 0xffff, 1600, true),
    ];
    expect(presses(packets).heard).toEqual([['7', 16_000, 0xffff + 1600]]);
    // Behind an end the same key is a new press, even if its timestamp follows at once.
    expect(presses([segment(0, 800, true), segment(800, 640, true)]).heard.length).toBe(2);
  });

  test('flash, tones and what is too short are left out; the number is bounded', () => {
    const short = { ...base, payload: Uint8Array.of(1, 0x8a, 0) };
    expect(presses([...keyPress(base, 16, 400), ...keyPress(base, 66, 400), short]).heard).toEqual([]);
    const many = Array.from({ length: 20 }, (_, i) => keyPress({ ...base, rtpTime: i * 8000 }, 1, 400)).flat();
    const { heard, keys } = presses(many, 5);
    expect([heard.length, keys.ignored > 0]).toEqual([5, true]);
  });
});

describe('in a call', () => {
  /** Speech that pauses while a key is pressed, as phones do; sequence numbers go through. */
  function callWithKey(format = EVENTS): SyntheticPacket[] {
    const speech = talk({ streamId: 's0', fromMs: 0, toMs: 4000, signal: tone(440) });
    const key = keyPress(
      { ...speech[100]!, payloadType: format.payloadType, arrivalMs: 2000, rtpTime: speech[100]!.rtpTime },
      9,
      1280,
    );
    const after = speech.slice(110).map((packet, i) => ({ ...packet, sequenceNumber: 1100 + key.length + i }));
    return [...speech.slice(0, 100), ...key, ...after];
  }

  test('placed by its timestamp; no audio, no loss, no gap', async () => {
    const { left, result } = await render(callWithKey(), [{ streamId: 's0', formats: [PCMU, EVENTS] }]);
    expect(result.events).toEqual([{ type: 'dtmf', streamId: 's0', offsetMs: 2000, durationMs: 160, digit: '9' }]);
    expect(silentBetween(left, 8000, 2001, 2199, 0)).toBe(true);
    expect(toneLevel(left, 8000, 440, 2200, 4000)).toBeCloseTo(-6, 0);
    expect(result.streams[0]).toMatchObject({
      lost: 0,
      undecodable: 0,
      codecs: ['PCMU/8000', 'TELEPHONE-EVENT/8000'],
    });
  });

  test('the payload type stands in the other m-line only', async () => {
    const odd = { ...EVENTS, payloadType: 110 };
    const streams = [{ streamId: 's0' }, { streamId: 's1', formats: [PCMU, odd] }];
    const { result } = await render(callWithKey(odd), streams);
    expect(eventsOf(result, 'dtmf').map(({ digit, offsetMs }) => [digit, offsetMs])).toEqual([['9', 2000]]);
  });

  test('key presses of a stream without audio are placed by arrival', async () => {
    const packets = [
      ...talk({ streamId: 's0', fromMs: 0, toMs: 4000, signal: tone(440) }),
      ...keyPress({ ...base, streamId: 's1', arrivalMs: 1500 }, 3, 800),
    ];
    const streams = [{ streamId: 's0' }, { streamId: 's1', formats: [PCMU, EVENTS] }];
    const { result } = await render(packets, streams);
    expect(result.events).toEqual([{ type: 'dtmf', streamId: 's1', offsetMs: 1500, durationMs: 100, digit: '3' }]);
  });

  test('a key with a wild timestamp is placed by arrival', async () => {
    const packets = callWithKey().map((packet) =>
      packet.payloadType === 101 ? { ...packet, rtpTime: packet.rtpTime + 1e8 } : packet,
    );
    const { result } = await render(packets, [{ streamId: 's0', formats: [PCMU, EVENTS] }]);
    expect(eventsOf(result, 'dtmf').map(({ offsetMs }) => offsetMs)).toEqual([2000]);
  });
});
