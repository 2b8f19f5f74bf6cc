import { describe, expect, test } from 'vitest';
import { readOffer } from '../../src/siprec/sdp.ts';
import { StreamKeys } from '../../src/siprec/stream-keys.ts';

/** `audio:0` is an audio m-line with label 0, `audio` one without, `audio:0!` one with port 0. */
const offer = (...lines: string[]) =>
  readOffer(
    lines
      .map((text) => {
        const [, media, label, zero] = /^(\w+)(?::(\w+))?(!)?$/.exec(text)!;
        return `m=${media} ${zero ? 0 : 4000} RTP/AVP 0\r\n${label === undefined ? '' : `a=label:${label}\r\n`}`;
      })
      .join(''),
  ).mediaLines;

const keysOf = (...offers: string[][]) => {
  const keys = new StreamKeys();
  return offers.map((lines) =>
    Object.fromEntries([...keys.assign(offer(...lines))].map(([index, key]) => [lines[index], key])),
  );
};

describe('streams across offers', () => {
  test('the first offer: keys are m-line indexes; video has none', () => {
    expect(keysOf(['video:0', 'audio:1', 'video:2', 'audio:3'])).toEqual([{ 'audio:1': '1', 'audio:3': '3' }]);
  });

  test('OpenSIPS puts a new stream in front', () => {
    expect(keysOf(['audio:0', 'audio:1'], ['audio:2', 'audio:0', 'audio:1'])).toEqual([
      { 'audio:0': '0', 'audio:1': '1' },
      { 'audio:2': '2', 'audio:0': '0', 'audio:1': '1' },
    ]);
  });

  test('swapped m-lines keep their streams', () => {
    expect(keysOf(['audio:a', 'audio:b'], ['audio:b', 'audio:a'])).toEqual([
      { 'audio:a': '0', 'audio:b': '1' },
      { 'audio:a': '0', 'audio:b': '1' },
    ]);
  });

  test('a stream that was left out and comes back is a new one', () => {
    expect(keysOf(['audio:0', 'audio:1'], ['audio:1'], ['audio:0', 'audio:1'])).toEqual([
      { 'audio:0': '0', 'audio:1': '1' },
      { 'audio:1': '1' },
      { 'audio:0': '2', 'audio:1': '1' },
    ]);
  });

  test('a label that takes the place of another is a new stream', () => {
    expect(keysOf(['audio:0', 'audio:1'], ['audio:0', 'audio:9'])).toEqual([
      { 'audio:0': '0', 'audio:1': '1' },
      { 'audio:0': '0', 'audio:9': '2' },
    ]);
  });

  test('without labels the position counts', () => {
    const keys = new StreamKeys();
    expect([...keys.assign(offer('audio', 'audio'))]).toEqual([
      [0, '0'],
      [1, '1'],
    ]);
    expect([...keys.assign(offer('audio', 'audio', 'audio'))]).toEqual([
      [0, '0'],
      [1, '1'],
      [2, '2'],
    ]);
    expect([...keys.assign(offer('audio'))]).toEqual([[0, '0']]);
  });

  test('labels may come and go', () => {
    expect(keysOf(['audio', 'audio:1'], ['audio:0', 'audio:1'])[1]).toEqual({ 'audio:0': '0', 'audio:1': '1' });
    const keys = new StreamKeys();
    keys.assign(offer('audio:0', 'audio:1'));
    expect([...keys.assign(offer('audio', 'audio'))]).toEqual([
      [0, '0'],
      [1, '1'],
    ]);
    expect([...keys.assign(offer('audio:1', 'audio:0'))]).toEqual([
      [0, '1'],
      [1, '0'],
    ]);
  });

  test('the same label twice: kept apart by order', () => {
    const keys = new StreamKeys();
    expect([...keys.assign(offer('audio:1', 'audio:1'))]).toEqual([
      [0, '0'],
      [1, '1'],
    ]);
    expect([...keys.assign(offer('video', 'audio:1', 'audio:1'))]).toEqual([
      [1, '0'],
      [2, '1'],
    ]);
  });

  test('port 0: a known stream stays, an unknown one never begins', () => {
    expect(keysOf(['audio:0', 'audio:1!'], ['audio:0!', 'audio:1'])).toEqual([
      { 'audio:0': '0' },
      { 'audio:0!': '0', 'audio:1': '1' },
    ]);
  });
});
