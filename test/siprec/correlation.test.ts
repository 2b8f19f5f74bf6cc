import { describe, expect, test } from 'vitest';
import type { CallIdentifiers } from '../../src/recording/call.ts';
import { contradict, correlationKeys } from '../../src/siprec/correlation.ts';

const identifiers = (over: Partial<CallIdentifiers>): CallIdentifiers => ({
  sipCallId: 'rs-1',
  communicationSessionId: null,
  sipSessionIds: [],
  groupId: 'sales-queue',
  vendor: {},
  ...over,
});

const A = 'ab30317f1a784dc48ff824d0d3715d86';
const B = '47755a9de7794ba387653f2099600ef2';

describe('keys', () => {
  test('the strongest rule comes first', () => {
    const keys = correlationKeys(
      identifiers({
        communicationSessionId: 'hVpd7YQgRW2nD22h7q60JQ==',
        sipSessionIds: ['1-19576@127.0.40.3'],
        vendor: { 'X-UCID': '00FA080019001038F72EA1', 'X-Tenant': 'acme-incorporated' },
      }),
    );
    expect(keys.map(({ rule }) => rule)).toEqual(['session-id', 'sip-session-id', 'vendor-id:ucid']);
  });

  test('a group, From and To alone are none', () => {
    expect(correlationKeys(identifiers({ vendor: { 'X-Queue': 'sales-department' } }))).toEqual([]);
  });

  test.each(['', '1', 's1', '0000000000000000', 'anonymous', '----------'])('%j names no call', (id) => {
    expect(correlationKeys(identifiers({ communicationSessionId: id, sipSessionIds: [id] }))).toEqual([]);
  });

  // The example of RFC 7989 §10.
  test('both sides of an RFC 7989 session have one key', () => {
    const [one] = correlationKeys(identifiers({ sipSessionIds: [`${A};remote=${B}`] }));
    const [other] = correlationKeys(identifiers({ sipSessionIds: [`${B.toUpperCase()}; remote=${A}`] }));
    expect(one).toEqual(other);
  });

  test('the nil UUID is nobody: the half that is known counts', () => {
    const [one] = correlationKeys(identifiers({ sipSessionIds: [`${A};remote=${'0'.repeat(32)}`] }));
    expect(one?.key).toBe(`sip-session-id ${A}`);
  });
});

test('recorded calls with other names contradict a common session id', () => {
  const call = (...ids: string[]) => identifiers({ sipSessionIds: ids });
  expect(contradict(call('call-one'), call('call-two'))).toBe(true);
  expect(contradict(call('call-one'), call('call-two', 'call-one'))).toBe(false);
  expect(contradict(call('call-one'), call())).toBe(false);
});
