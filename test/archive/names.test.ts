import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_NAME_TEMPLATE, recordingDay, recordingName, unknownNameFields } from '../../src/archive/names.ts';
import { exampleDocument } from './example-document.ts';

const between = (callerAor: string | null, calleeAor: string | null, callerName: string | null = null) =>
  exampleDocument({
    participants: [
      { id: 'a', aor: callerAor, name: callerName, role: 'caller', channel: 0, rule: 'metadata-order' },
      { id: 'b', aor: calleeAor, name: null, role: 'callee', channel: 1, rule: 'metadata-order' },
    ],
  });

describe('names of recordings', () => {
  test.each([
    ['sip:1001@example.com', 'sip:2002@example.com:5060', '20260102T030405Z_1001_2002_0f1e2d3c'],
    ['tel:+4930123456', 'sips:bob@[::1]', '20260102T030405Z_+4930123456_bob_0f1e2d3c'],
    [null, 'sip:bob', '20260102T030405Z_unknown_bob_0f1e2d3c'],
    ['sip:../../etc/passwd@x', 'sip:a b/c\\d@x', '20260102T030405Z_etc-passwd_a-b-c-d_0f1e2d3c'],
    ['sip:Jürgen.Müller@x', 'sip:中文@x', '20260102T030405Z_Jurgen.Muller_unknown_0f1e2d3c'],
    ['sip:$(reboot);`ls`\'"@x', 'sip:x\u0000y@x', '20260102T030405Z_reboot_x-y_0f1e2d3c'],
  ])('%s to %s', (caller, callee, expected) => {
    expect(recordingName(DEFAULT_NAME_TEMPLATE, between(caller, callee))).toBe(expected);
  });

  test('the display name stands in when there is no address', () => {
    expect(recordingName('{caller}', between(null, null, 'Alice Smith'))).toBe('Alice-Smith');
  });

  test('the day is the start in UTC', () => {
    expect(recordingDay(exampleDocument())).toBe('2026/01/02');
  });

  test('unknown fields are named', () => {
    expect(unknownNameFields('{start}_{nobody}_{}')).toEqual(['nobody', '']);
    expect(unknownNameFields(DEFAULT_NAME_TEMPLATE)).toEqual([]);
  });

  test('whatever the wire says, a name is one harmless path segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.string(), (caller, callee, template) => {
        const name = recordingName(template, between(`sip:${caller}@x`, callee, caller));
        expect(name).toMatch(/^[A-Za-z0-9+=@_][A-Za-z0-9+=@._-]{0,199}$/);
        expect(name).not.toMatch(/\.$/);
      }),
    );
  });
});
