// What a client is told when a rule declines its call.
import { expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { DeclinedByRule } from '../../src/recording/rules.ts';
import { refusalForError } from '../../src/siprec/sip-status.ts';

test.each([
  [undefined, 603, 'Decline'],
  [403, 403, 'Forbidden'],
  [503, 503, 'Service Unavailable'],
  [499, 499, 'Declined'],
])('status %s of the rule: %i %s, with a reason and without Retry-After', (given, status, reason) => {
  const [rule] = configSchema.parse({
    rules: { list: [{ do: 'decline', because: 'says "no"\r\nX: y', ...(given ? { status: given } : {}) }] },
  }).rules.list;
  const refusal = refusalForError(new DeclinedByRule(2, rule!));
  expect(refusal).toMatchObject({ status, reason });
  expect(refusal.headers['Retry-After']).toBeUndefined();
  expect(refusal.headers.Warning).toMatch(/^399 sipreel "[^"\r\n]*Rule 2: says 'no'[^"\r\n]*"$/);
});
