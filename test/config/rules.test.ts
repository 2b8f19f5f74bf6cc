// Mistakes in rules: told all at once, by the rule's number.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { printConfig } from '../../src/config/describe.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/schema.ts';

const mistakesIn = (rules: object): string[] => {
  try {
    loadConfig({ overrides: { rules } as ConfigInput });
    return [];
  } catch (error) {
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
};

test('every mistake has the number of its rule', () => {
  const told = mistakesIn({
    list: [
      { when: { caller: '1001' }, do: 'record' },
      { when: { peer: 'sbc.example', caler: '1' }, do: 'record', name: '{who}', keepDays: 0 },
      { when: { header: { name: '' } }, do: 'refuse' },
      { when: { caller: [] }, do: 'decline', status: 401, tags: ['x'] },
      { when: { caller: '1' }, do: 'discard', status: 603, keepDays: 3 },
    ],
  });
  expect(told).toEqual([
    'rules.list, rule 2.when.peer.0: must be an IP address or a network like 10.0.0.0/8',
    'rules.list, rule 2.when.caler: unknown setting',
    'rules.list, rule 2.keepDays: Too small: expected number to be >=1',
    'rules.list, rule 2.name: has unknown fields: who',
    'rules.list, rule 3.when.header.0.name: Too small: expected string to have >=1 characters',
    'rules.list, rule 3.do: Invalid option: expected one of "record"|"decline"|"discard"',
    'rules.list, rule 4.when.caller: Too small: expected array to have >=1 items',
    'rules.list, rule 4.status: would have the client ask again',
    'rules.list, rule 4.tags: has no meaning with decline',
    'rules.list, rule 5.status: has no meaning with discard',
    'rules.list, rule 5.keepDays: has no meaning with discard',
  ]);
});

test.each<[object, string]>([
  [
    { list: [{ do: 'discard' }, { when: { caller: '1' }, do: 'record' }] },
    'rules.list, rule 1.when: has no condition and fits every call: the rules after it would never be reached',
  ],
  [
    { list: [{ when: { direction: 'inbound' }, do: 'discard' }] },
    'rules.list, rule 1.when.direction: cannot be told without rules.ours',
  ],
])('contradictions: %j', (rules, expected) => expect(mistakesIn(rules)).toEqual([expected]));

test('one value stands for a list of one, and what is printed can be loaded again', () => {
  const config = loadConfig({
    overrides: {
      rules: {
        ours: ['1*', 2002],
        list: [
          { when: { caller: 1001, header: { name: 'X-Team' } }, do: 'record', keepDays: 30, name: '{id}', tags: ['a'] },
          { when: { peer: '10.0.0.0/8' }, do: 'decline', because: 'no' },
          { do: 'discard' },
        ],
      },
    } as ConfigInput,
  });
  expect(config.rules.list[0]).toMatchObject({
    when: { caller: ['1001'], header: [{ name: 'X-Team', value: '*' }] },
    status: null,
  });
  expect(config.rules.list[1]).toMatchObject({ do: 'decline', status: 603 });
  expect(loadConfig({ overrides: parse(printConfig(config)) })).toEqual(config);
});

test("the README's rules can be loaded", () => {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  const [, yaml = ''] = /```yaml\n(rules:\n[\s\S]*?)```/.exec(readme) ?? [];
  expect(loadConfig({ overrides: parse(yaml) }).rules.list.map((rule) => rule.do)).toEqual([
    'decline',
    'discard',
    'record',
    'record',
    'discard',
  ]);
});
