// Payload types that change their meaning in the middle of a call, and come back to it.
import { expect, test } from 'vitest';
import { currentFormats, type DeclaredFormat, declareFormats, formatAt } from '../../src/recording/declared-formats.ts';

const as = (payloadType: number, encoding: string) => ({
  ...{ payloadType, encoding, clockRateHz: 8000, channels: 1, fmtp: null },
});
const [A, B] = [as(97, 'PCMA'), as(97, 'PCMU')];
const EVENTS = as(101, 'TELEPHONE-EVENT');
const meanings = (formats: DeclaredFormat[], payloadType: number, ...timesMs: number[]) =>
  timesMs.map((atMs) => formatAt(formats, payloadType, atMs)?.encoding ?? null);

test('one meaning after the other, and the first once more', () => {
  let formats: DeclaredFormat[] = [A, EVENTS];
  formats = declareFormats(formats, [B, EVENTS], 10);
  formats = declareFormats(formats, [A], 20);
  expect(meanings(formats, 97, 0, 9, 10, 19, 20, Number.POSITIVE_INFINITY)).toEqual([
    ...['PCMA', 'PCMA', 'PCMU', 'PCMU'],
    ...['PCMA', 'PCMA'],
  ]);
  expect(meanings(formats, 101, 0, 30)).toEqual(['TELEPHONE-EVENT', 'TELEPHONE-EVENT']);
  expect(meanings(formats, 0, 0)).toEqual([null]);
  expect(currentFormats(formats)).toEqual([A, EVENTS]);
});

test('the same offer again changes nothing', () => {
  const formats = declareFormats(declareFormats([A], [B], 10), [B], 20);
  expect(formats).toEqual([B, { ...A, untilMs: 10 }]);
});

test('however often it changes, the list is bounded', () => {
  let formats: DeclaredFormat[] = [A];
  for (let i = 0; i < 1_000; i++) formats = declareFormats(formats, [i % 2 === 0 ? B : A], i);
  expect(formats.length).toBe(256);
  expect(currentFormats(formats)).toEqual([A]);
});
