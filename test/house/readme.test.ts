// What the README says about settings and exit codes is what the code has.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { settingsTable } from '../../src/config/describe.ts';

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');

test('the configuration table is the schema (npm run sipreel -- config --table)', () => {
  const [, table = ''] = /<!-- settings -->\n([\s\S]*?)\n<!-- \/settings -->/.exec(readme) ?? [];
  expect(table.trim()).toBe(settingsTable());
});

test('every link to a file leads somewhere', () => {
  const targets = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map((match) => match[1]!);
  expect(targets.length).toBeGreaterThan(5);
  for (const target of targets)
    expect(() => readFileSync(fileURLToPath(new URL(`../../${target}`, import.meta.url))), target).not.toThrow();
});
