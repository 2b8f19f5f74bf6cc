import { describe, expect, test } from 'vitest';
import { attribute, attributeMixed } from '../../src/recording/attribution.ts';
import type { CallDescription, CallParticipant } from '../../src/recording/call.ts';

const party = (participantId: string, sends: string[], role: CallParticipant['role'] = null): CallParticipant => ({
  participantId,
  aor: `sip:${participantId}@example.com`,
  name: participantId,
  sends,
  role,
});
const call = (...participants: CallParticipant[]): CallDescription => ({
  participants,
  identifiers: { sipCallId: 'c', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
  statedStartMs: null,
  extraHeaders: [],
});
const stream = (streamId: string, label: string | null, key = label ?? streamId) => ({ streamId, label, key });

describe('who is in which channel, and by which rule', () => {
  test('the associations decide, not the order of the m-lines', () => {
    const result = attribute(
      call(party('alice', ['1']), party('bob', ['0'])),
      [stream('s0', '0'), stream('s1', '1')],
      'stereo',
    );
    expect(result).toEqual({
      participants: [
        { participantId: 'alice', role: 'caller', channel: 0, rule: 'metadata-order' },
        { participantId: 'bob', role: 'callee', channel: 1, rule: 'metadata-order' },
      ],
      streams: [
        { streamId: 's0', participantId: 'bob', channel: 1, rule: 'participant-stream-association' },
        { streamId: 's1', participantId: 'alice', channel: 0, rule: 'participant-stream-association' },
      ],
      channels: 2,
    });
  });

  test('a stated role beats the order', () => {
    const result = attribute(
      call(party('agent', ['a'], 'callee'), party('customer', ['b'], 'caller')),
      [stream('s0', 'a'), stream('s1', 'b')],
      'stereo',
    );
    expect(result.participants).toEqual([
      { participantId: 'customer', role: 'caller', channel: 0, rule: 'stated-role' },
      { participantId: 'agent', role: 'callee', channel: 1, rule: 'stated-role' },
    ]);
    expect(result.streams.map((s) => s.channel)).toEqual([1, 0]);
  });

  test('without associations the order of the streams stands in', () => {
    const result = attribute(
      call(party('alice', []), party('bob', [])),
      [stream('s0', null), stream('s1', null)],
      'stereo',
    );
    expect(result.streams).toEqual([
      { streamId: 's0', participantId: 'alice', channel: 0, rule: 'stream-order' },
      { streamId: 's1', participantId: 'bob', channel: 1, rule: 'stream-order' },
    ]);
  });

  test('one association known: the remaining stream belongs to the remaining party', () => {
    const result = attribute(
      call(party('alice', []), party('bob', ['0'])),
      [stream('s0', '0'), stream('s1', '1')],
      'stereo',
    );
    expect(result.streams).toEqual([
      { streamId: 's0', participantId: 'bob', channel: 1, rule: 'participant-stream-association' },
      { streamId: 's1', participantId: 'alice', channel: 0, rule: 'remaining-stream' },
    ]);
  });

  test('nobody is guessed when the rest is ambiguous', () => {
    const result = attribute(
      call(party('alice', ['0']), party('bob', []), party('carol', [])),
      [stream('s0', '0'), stream('s1', '1'), stream('s2', '2')],
      'stereo',
    );
    expect(result.streams.slice(1)).toEqual([
      { streamId: 's1', participantId: null, channel: 1, rule: 'unattributed' },
      { streamId: 's2', participantId: null, channel: 1, rule: 'unattributed' },
    ]);
  });

  test('no metadata at all: first stream left, second right', () => {
    const result = attribute(call(), [stream('s0', null), stream('s1', null)], 'stereo');
    expect(result).toEqual({
      participants: [],
      streams: [
        { streamId: 's0', participantId: null, channel: 0, rule: 'unattributed' },
        { streamId: 's1', participantId: null, channel: 1, rule: 'unattributed' },
      ],
      channels: 2,
    });
  });

  test('a third party is mixed to the side of the callee, or gets a channel of its own', () => {
    const three = call(party('alice', ['0']), party('bob', ['1']), party('carol', ['2']));
    const streams = [stream('s0', '0'), stream('s1', '1'), stream('s2', '2')];
    expect(attribute(three, streams, 'stereo').streams.map((s) => s.channel)).toEqual([0, 1, 1]);
    expect(attribute(three, streams, 'stereo').participants[2]).toEqual({
      participantId: 'carol',
      role: 'other',
      channel: 1,
      rule: 'further-party',
    });
    const apart = attribute(three, streams, 'per-party');
    expect(apart.streams.map((s) => s.channel)).toEqual([0, 1, 2]);
    expect(apart.channels).toBe(3);
  });

  test('two streams of one party share its channel; a party without stream has none', () => {
    const result = attribute(
      call(party('alice', ['0', '5']), party('bob', [])),
      [stream('s0', '0'), stream('s1', '5')],
      'stereo',
    );
    expect(result.streams.map((s) => s.channel)).toEqual([0, 0]);
    expect(result.participants[1]).toEqual({
      participantId: 'bob',
      role: 'callee',
      channel: null,
      rule: 'metadata-order',
    });
  });

  test('label 0 is a label, and an association may name the key of a stream without label', () => {
    const result = attribute(
      call(party('alice', ['m0']), party('bob', ['0'])),
      [stream('s0', null, 'm0'), stream('s1', '0')],
      'stereo',
    );
    expect(result.streams.map((s) => s.participantId)).toEqual(['alice', 'bob']);
  });

  test("a mixed stream is nobody's: one channel for all", () => {
    expect(attributeMixed(call(party('alice', ['rx']), party('bob', ['tx'])), stream('s0', 'rx'))).toEqual({
      participants: [
        { participantId: 'alice', role: 'caller', channel: 0, rule: 'metadata-order' },
        { participantId: 'bob', role: 'callee', channel: 0, rule: 'metadata-order' },
      ],
      streams: [{ streamId: 's0', participantId: null, channel: 0, rule: 'mixed-stream' }],
      channels: 1,
    });
  });
});
