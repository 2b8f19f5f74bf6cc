// How well a recording was heard, in the page's words.
import { expect, test } from 'vitest';

const { quality } = (await import(new URL('../../../src/http/page/words.js', import.meta.url).href)) as {
  quality(recording: object): { who: string; words: string; grade: string }[];
};

test('nothing is said of packets that were never ours', () => {
  const nothing = { state: 'finished', streams: [], participants: [] };
  expect(quality({ ...nothing, source: 'import' })).toMatchObject([
    { words: expect.stringMatching('file'), grade: 'info' },
  ]);
  expect(quality({ ...nothing, source: 'siprec' })).toMatchObject([
    { words: expect.stringMatching('silent'), grade: 'bad' },
  ]);
});
