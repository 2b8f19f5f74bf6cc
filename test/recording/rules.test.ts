// Rules as a table: a call, a list of rules, what becomes of the call.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import type { CallDescription } from '../../src/recording/call.ts';
import { type CallFacts, RecordingRules } from '../../src/recording/rules.ts';

interface Call {
  caller?: string;
  callee?: string;
  others?: string[];
  group?: string;
  headers?: Record<string, string>;
  source?: 'siprec' | 'oreka';
  peer?: string;
  preference?: CallDescription['preference'];
  provisional?: boolean;
}

function facts(call: Call): CallFacts {
  const party = (aor: string, index: number) => ({
    participantId: `p${index}`,
    aor,
    name: null,
    sends: [],
    role: null,
  });
  const { preference } = call;
  return {
    source: call.source ?? 'siprec',
    peer: call.peer ?? 'udp:192.0.2.1:5060',
    call: {
      participants: [call.caller, call.callee, ...(call.others ?? [])].filter((aor) => aor !== undefined).map(party),
      identifiers: {
        sipCallId: 'c',
        communicationSessionId: null,
        sipSessionIds: [],
        groupId: call.group ?? null,
        vendor: {},
      },
      statedStartMs: null,
      extraHeaders: Object.entries(call.headers ?? {}).map(([name, value]) => ({ name, value })),
      provisional: call.provisional ?? false,
      ...(preference ? { preference } : {}),
    },
  };
}

/** Through the configuration, so that what is tested is what an operator writes. */
function rules(list: object[], ours: string[] = []): RecordingRules {
  const { rules: parsed } = configSchema.parse({ rules: { ours, list } });
  return new RecordingRules(parsed.list, parsed.ours);
}

const alice = 'sip:1001@example.com';
const bob = 'sip:+492002@example.net;user=phone';

describe('one condition', () => {
  test.each<[string, object, Call, boolean]>([
    ['no condition', {}, {}, true],
    ['a number as caller', { caller: 1001 }, { caller: alice, callee: bob }, true],
    ['the whole address', { caller: '1001@example.com' }, { caller: alice }, true],
    ['the whole address with its scheme', { caller: 'sip:1001@EXAMPLE.com' }, { caller: alice }, true],
    ['a domain', { caller: '*@example.com' }, { caller: alice }, true],
    ['a prefix', { callee: '+49*' }, { caller: alice, callee: bob }, true],
    ['a prefix of the other party', { caller: '+49*' }, { caller: alice, callee: bob }, false],
    ['a number inside another', { caller: '100' }, { caller: alice }, false],
    ['a tel URI', { caller: '+4930*' }, { caller: 'tel:+4930123' }, true],
    ['one of several', { caller: ['2*', '10*'] }, { caller: alice }, true],
    ['any party', { participant: '3003' }, { caller: alice, callee: bob, others: ['sip:3003@x'] }, true],
    ['any party, absent', { participant: '3003' }, { caller: alice, callee: bob }, false],
    ['caller without any party', { caller: '*' }, {}, false],
    ['group', { group: 'sales*' }, { group: 'Sales-7' }, true],
    ['group, none', { group: '*' }, {}, false],
    ['a header that is there', { header: { name: 'X-No-Record' } }, { headers: { 'x-no-record': '' } }, true],
    ['a header by value', { header: { name: 'X-R', value: 'n*' } }, { headers: { 'X-R': 'No' } }, true],
    ['a header with another value', { header: { name: 'X-R', value: 'n*' } }, { headers: { 'X-R': 'yes' } }, false],
    ['two headers, one there', { header: [{ name: 'A' }, { name: 'B' }] }, { headers: { A: '1' } }, false],
    ['source', { source: 'oreka' }, { source: 'oreka' }, true],
    ['another source', { source: 'oreka' }, {}, false],
    ['peer in a network', { peer: '192.0.2.0/24' }, {}, true],
    ['peer outside', { peer: ['10.0.0.0/8', '192.0.2.2'] }, {}, false],
    ['IPv6 peer', { peer: '2001:db8::/32' }, { peer: 'tcp:[2001:db8::1]:5060' }, true],
    ['preference', { preference: 'off' }, { preference: 'off' }, true],
    ['preference, none told', { preference: 'off' }, {}, false],
    ['every condition has to hold', { caller: '1001', group: 'x' }, { caller: alice, group: 'y' }, false],
  ])('%s', (_, when, call, expected) => {
    const judged = rules([{ when, do: 'decline' }]).judge(facts(call));
    expect(judged).toEqual(
      expected ? { do: 'decline', rule: 1, provisional: false } : { do: 'record', rule: null, provisional: false },
    );
  });

  test.each<[string, Call, boolean]>([
    ['inbound', { caller: bob, callee: alice }, true],
    ['outbound', { caller: alice, callee: bob }, true],
    ['internal', { caller: alice, callee: 'sip:1002@example.com' }, true],
    ['inbound', { caller: bob, callee: 'sip:5@example.org' }, false],
    ['outbound', { caller: alice, callee: 'sip:1002@example.com' }, false],
  ])('direction %s of %j: %s', (direction, call, expected) => {
    const { rule } = rules([{ when: { direction }, do: 'discard' }], ['1*']).judge(facts(call));
    expect(rule).toBe(expected ? 1 : null);
  });

  test('the stated role decides who is the caller, not the order', () => {
    const call = facts({ caller: bob, callee: alice });
    call.call.participants[1]!.role = 'caller';
    expect(rules([{ when: { caller: '1001' }, do: 'discard' }]).judge(call).rule).toBe(1);
  });
});

describe('a list', () => {
  const list = [
    { when: { participant: 'board*' }, do: 'decline', status: 403, because: 'the board is not recorded' },
    { when: { group: 'sales' }, do: 'record', keepDays: 90 },
    { when: { callee: '1*' }, do: 'record' },
    { do: 'discard' },
  ];
  test.each<[string, Call, string, number | null, boolean]>([
    ['the first that fits', { caller: 'sip:board-1@x', group: 'sales' }, 'decline', 1, false],
    ['the next one', { caller: alice, group: 'sales' }, 'record', 2, false],
    ['the rest', { caller: alice, callee: bob }, 'discard', 4, false],
    ['nothing known yet: recorded until it is', { provisional: true }, 'record', 1, true],
    ['a guess that fits', { caller: 'sip:board-1@x', provisional: true }, 'decline', 1, false],
    ['a guess that does not fit', { caller: alice, provisional: true }, 'record', 1, true],
  ])('%s', (_, call, outcome, rule, provisional) => {
    expect(rules(list).judge(facts(call))).toEqual({ do: outcome, rule, provisional });
  });

  test('at the end what is still unknown does not fit', () => {
    expect(rules(list).judge(facts({ provisional: true }), 'final')).toEqual({
      do: 'discard',
      rule: 4,
      provisional: false,
    });
  });

  test('a condition that certainly fails is not held open by an unknown party', () => {
    const source = rules([{ when: { caller: '1001', source: 'oreka' }, do: 'discard' }]);
    expect(source.judge(facts({ provisional: true }))).toEqual({ do: 'record', rule: null, provisional: false });
    expect(source.explain(facts({ provisional: true }))).toEqual([
      { rule: 1, verdict: 'differs', condition: 'source' },
    ]);
  });

  test('without rules everything is recorded', () => {
    expect(rules([]).judge(facts({}))).toEqual({ do: 'record', rule: null, provisional: false });
  });
});

test('what was judged to fit with parties unknown is judged the same once they are as guessed', () => {
  const aor = fc.constantFrom(alice, bob, 'sip:3003@x', 'tel:112');
  const pattern = fc.constantFrom('1001', '*', '+49*', '3*', '*@example.net', 'sip:1*');
  const rule = fc.record({
    when: fc.record({ caller: pattern, callee: pattern, participant: pattern, group: pattern }, { requiredKeys: [] }),
    do: fc.constantFrom('record', 'decline', 'discard'),
  });
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 5 }), aor, aor, (list, caller, callee) => {
      // A catch-all in the middle is refused by the schema.
      const given = new RecordingRules(
        configSchema.parse({ rules: { list: list.filter(({ when }) => Object.keys(when).length > 0) } }).rules.list,
      );
      const guessed = given.judge(facts({ caller, callee, provisional: true }));
      const known = given.judge(facts({ caller, callee }));
      if (!guessed.provisional) expect(guessed).toEqual(known);
      else expect(guessed.do).toBe('record');
      expect(given.judge(facts({ caller, callee, provisional: true }), 'final')).toEqual(known);
    }),
  );
});
