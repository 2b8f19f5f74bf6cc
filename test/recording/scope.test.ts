import { expect, test } from 'vitest';
import { documentInScope, fits } from '../../src/recording/scope.ts';
import { exampleDocument } from '../archive/example-document.ts';

test.each([
  ['1001', '1001', true],
  ['1001', '100', false],
  ['1001', '10*', true],
  ['1001', '*', true],
  ['', '*', true],
  ['1001', '*01', true],
  ['1001', '1*1', true],
  ['11', '1*11', false],
  ['1', '1*1', false],
  ['abcabc', 'a*c*bc', true],
  ['abab', 'a*b*b*b', false],
  ['Sales', 'sALES', true],
  ['a.c', 'a?c', false],
  ['aXc', 'a.c', false],
  ['[x]', '[x]', true],
  ['a*b', 'a**b', true],
])('%j against %j: %s', (text, pattern, expected) => {
  expect(fits(text, pattern)).toBe(expected);
});

test('a long pattern against a long text ends at once', () => {
  expect(fits('a'.repeat(100_000), `${'*a'.repeat(5_000)}b`)).toBe(false);
});

const withAor = (aor: string | null, groupId: string | null = null) =>
  exampleDocument({
    participants: [{ id: 'p', aor, name: null, role: 'caller', channel: 0, rule: 'test' }],
    call: { ...exampleDocument().call, groupId },
  });

test.each([
  ['sip:1001@example.com;user=phone', '1001'],
  ['sips:1001@example.com', '1001@example.com'],
  ['tel:+4930123;phone-context=x', '+4930*'],
  ['1001', '1001'],
])('%s is in the scope of %s', (aor, pattern) => {
  expect(documentInScope(withAor(aor), { parties: [pattern], groups: [] })).toBe(true);
});

test('a party whose address only looks like the pattern is not', () => {
  expect(documentInScope(withAor('sip:evil@1001'), { parties: ['1001'], groups: [] })).toBe(false);
  expect(documentInScope(withAor('sip:evil;1001@x'), { parties: ['1001'], groups: [] })).toBe(false);
  expect(documentInScope(withAor(null), { parties: ['*'], groups: [] })).toBe(false);
  expect(documentInScope(withAor('sip:1@x', 'sales'), { parties: [], groups: ['sales'] })).toBe(true);
  expect(documentInScope(withAor('sip:1@x', null), { parties: [], groups: ['*'] })).toBe(false);
});
