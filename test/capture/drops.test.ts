// What the room's README says about drop reasons is what the code has.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { newDropCounts, occurredDrops } from '../../src/capture/drops.ts';

const readme = readFileSync(fileURLToPath(new URL('../../src/capture/README.md', import.meta.url)), 'utf8');

test('the README has one line per reason', () => {
  const [, section = ''] = /## Drop reasons\n([\s\S]*?)\n## /.exec(readme) ?? [];
  const reasons = [...section.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1]);
  expect(reasons).toEqual(Object.keys(newDropCounts()));
});

test('only what occurred is told', () => {
  expect(occurredDrops(newDropCounts())).toEqual({});
  expect(occurredDrops({ ...newDropCounts(), stun: 2, inactive: 1 })).toEqual({ stun: 2, inactive: 1 });
});
