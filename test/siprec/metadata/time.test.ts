import { describe, expect, test } from 'vitest';
import type { Warning } from '../../../src/recording/call.ts';
import { parseMetadataTime } from '../../../src/siprec/metadata/time.ts';

const parse = (text: string) => {
  const warnings: Warning[] = [];
  const time = parseMetadataTime(text, warnings);
  return [time, ...warnings.map((warning) => warning.code)];
};
const at = (...fields: [number, number, number, number?, number?, number?, number?]) => Date.UTC(...fields);

describe('metadata times', () => {
  test.each([
    ['2010-12-16T23:41:07Z', at(2010, 11, 16, 23, 41, 7)],
    ['2026-11-21T00:17:22+0000', at(2026, 10, 21, 0, 17, 22)],
    ['2026-11-21T00:17:22+01:00', at(2026, 10, 20, 23, 17, 22)],
    ['2026-11-21T00:17:22-0530', at(2026, 10, 21, 5, 47, 22)],
    ['2026-11-21T00:17:22+02', at(2026, 10, 20, 22, 17, 22)],
    ['2019-05-13T15:32:45.293Z', at(2019, 4, 13, 15, 32, 45, 293)],
    ['2019-05-13T15:32:45.293456Z', at(2019, 4, 13, 15, 32, 45, 293)],
    [' 2019-05-13 15:32:45 GMT ', at(2019, 4, 13, 15, 32, 45)],
    ['1447168229', 1_447_168_229_000],
    ['1447168229123', 1_447_168_229_123],
    ['2016-02-29T23:59:60Z', at(2016, 2, 1)],
  ])('%s', (text, ms) => {
    expect(parse(text)).toEqual([ms]);
  });

  test('without zone: UTC, and said so', () => {
    expect(parse('2015-04-28T10:40:29')).toEqual([at(2015, 3, 28, 10, 40, 29), 'time-without-zone']);
    expect(parse('2015-04-28')).toEqual([at(2015, 3, 28), 'time-without-zone']);
  });

  test.each([
    '1970-01-01T00:00:00Z',
    '0000-00-00T00:00:00Z',
    '2015-13-28T10:40:29Z',
    '2015-04-28T25:40:29Z',
    'yesterday',
    'Tue, 28 Apr 2015 10:40:29 GMT',
    '0',
  ])('%s makes no sense', (text) => {
    expect(parse(text)).toEqual([null, 'time-unreadable']);
  });

  test('empty', () => {
    expect(parse('  ')).toEqual([null]);
  });
});
