// What happens in a call, judged on the finished recording: parties, timeline, and what is heard where and when.
import { beforeEach, describe, expect, test } from 'vitest';
import { PCMA } from '../../support/synthetic-journal.ts';
import { metadata, offer, type WrittenMetadata } from '../texts.ts';
import { nothingLeftOpen, VirtualClient } from './virtual-client.ts';
import { type FinishedCall, TONES, VirtualRecorder } from './virtual-recorder.ts';

const CS = 'hVpd7YQgRW2nD22h7q60JQ==';
const { alice, bob, carol } = TONES;
const party = (id: string, ...sends: string[]) => ({ id, sends, sessionId: CS });
const both = metadata({ parties: [party('alice', '0'), party('bob', '1')] });
const saying = (written: Partial<WrittenMetadata> & Pick<WrittenMetadata, 'parties'>) => metadata(written);
const direction = (sdp: string, label: string, attribute: string) =>
  sdp.replace(`a=sendonly\r\na=label:${label}`, `a=${attribute}\r\na=label:${label}`);

let recorder: VirtualRecorder;
let client: VirtualClient;

beforeEach(async () => {
  recorder = await VirtualRecorder.create();
  client = new VirtualClient(recorder);
  nothingLeftOpen(recorder);
});

/** Alice and Bob talk for a second. */
async function begin(sdp = offer('0', '1'), xml: string | null = both) {
  await client.call({ sdp, metadata: xml });
  recorder.talk({ port: client.port(0), hz: alice });
  if (client.port(1) > 0) recorder.talk({ port: client.port(1), hz: bob });
  await recorder.pass(1_000);
}

async function end(): Promise<FinishedCall> {
  await client.send('BYE');
  const [call, ...others] = await recorder.finished();
  expect(others).toEqual([]);
  return call!;
}

const channels = ({ document }: FinishedCall) =>
  Object.fromEntries(document.participants.map(({ id, channel }) => [id, channel]));
const happened = ({ document }: FinishedCall, ...types: string[]) =>
  document.timeline
    .filter(({ type }) => types.includes(type))
    .map(
      ({ type, streamId, participantId, offsetMs }) =>
        `${type} ${streamId ?? participantId} at ${Math.round(offsetMs / 100) / 10}`,
    );

test('nothing changes', async () => {
  await begin();
  const call = await end();
  expect([call.document.state, call.channels, call.hears(0, alice, 50, 950), call.hears(1, bob, 50, 950)]).toEqual([
    'finished',
    2,
    true,
    true,
  ]);
  expect(call.document.warnings).toEqual([]);
  expect(call.document.sessions).toMatchObject([{ sipCallId: client.callId, joinedBy: 'first', endReason: 'ended' }]);
});

describe('hold and pause: what a held stream still sends is dropped', () => {
  const sdp = offer('0', '1');
  const noAddress = sdp.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 0.0.0.0').replaceAll('a=sendonly\r\n', '');
  test.each<[string, string, { held: [boolean, boolean] }]>([
    ['both inactive', direction(direction(sdp, '0', 'inactive'), '1', 'inactive'), { held: [true, true] }],
    ['one inactive', direction(sdp, '1', 'inactive'), { held: [false, true] }],
    ['one recvonly: the client would only receive', direction(sdp, '1', 'recvonly'), { held: [false, true] }],
    ['c=0.0.0.0', noAddress, { held: [true, true] }],
    ['port 0', sdp.replace('m=audio 35002', 'm=audio 0'), { held: [false, true] }],
    ['sendrecv is no hold', sdp.replaceAll('sendonly', 'sendrecv'), { held: [false, false] }],
    ['sendonly with c=0.0.0.0 is no hold', sdp.replace('192.0.2.1\r\nt=', '0.0.0.0\r\nt='), { held: [false, false] }],
  ])('%s', async (_name, changed, { held }) => {
    await begin();
    const answer = await client.send('INVITE', { sdp: changed });
    expect(answer?.status).toBe(200);
    await recorder.pass(1_000);
    await client.send('INVITE', { sdp });
    await recorder.pass(1_000);
    const call = await end();
    [alice, bob].forEach((hz, channel) => {
      expect(call.hears(channel, hz, 50, 950)).toBe(true);
      expect(call.silent(channel, 1_100, 1_950)).toBe(held[channel]);
      expect(call.hears(channel, hz, 2_100, 2_900)).toBe(true);
    });
    const streams = ['s0', 's1'].filter((_, channel) => held[channel]);
    expect(happened(call, 'hold', 'resume')).toEqual([
      ...streams.map((id) => `hold ${id} at 1`),
      ...streams.map((id) => `resume ${id} at 2`),
    ]);
    expect(call.document.streams.map(({ drops }) => (drops['not-receiving'] ?? 0) > 0)).toEqual(held);
  });

  test('a call that begins on hold', async () => {
    await begin(direction(offer('0', '1'), '1', 'inactive'));
    await client.send('INVITE', { sdp: offer('0', '1') });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.silent(1, 0, 950), call.hears(1, bob, 1_050, 1_900), call.hears(0, alice, 50, 1_900)]).toEqual([
      true,
      true,
      true,
    ]);
  });
});

describe('the forms of a change', () => {
  const held = direction(offer('0', '1'), '1', 'inactive');
  const renamed = saying({ parties: [party('alice', '0'), { ...party('bob', '1'), name: 'Robert' }] });
  test.each<[string, string, { sdp?: string; metadata?: string }, { silent: boolean; name: string; sdp: boolean }]>([
    [
      're-INVITE with SDP and metadata',
      'INVITE',
      { sdp: held, metadata: renamed },
      { silent: true, name: 'Robert', sdp: true },
    ],
    ['re-INVITE with SDP alone', 'INVITE', { sdp: held }, { silent: true, name: 'bob', sdp: true }],
    [
      're-INVITE with metadata alone: we offer',
      'INVITE',
      { metadata: renamed },
      { silent: false, name: 'Robert', sdp: true },
    ],
    ['re-INVITE without body: we offer', 'INVITE', {}, { silent: false, name: 'bob', sdp: true }],
    [
      'UPDATE with SDP and metadata',
      'UPDATE',
      { sdp: held, metadata: renamed },
      { silent: true, name: 'Robert', sdp: true },
    ],
    ['UPDATE with SDP', 'UPDATE', { sdp: held }, { silent: true, name: 'bob', sdp: true }],
    ['UPDATE with metadata alone', 'UPDATE', { metadata: renamed }, { silent: false, name: 'Robert', sdp: false }],
    ['UPDATE without body', 'UPDATE', {}, { silent: false, name: 'bob', sdp: false }],
    ['INFO with metadata', 'INFO', { metadata: renamed }, { silent: false, name: 'Robert', sdp: false }],
  ])('%s', async (_name, method, message, expected) => {
    await begin();
    const answer = await client.send(method, message);
    expect([answer?.status, (answer?.body ?? '') !== '']).toEqual([200, expected.sdp]);
    await recorder.pass(1_000);
    const call = await end();
    expect(call.silent(1, 1_100, 1_900)).toBe(expected.silent);
    expect(call.hears(0, alice, 50, 1_900)).toBe(true);
    expect(call.document.participants.map(({ name }) => name)).toEqual(['alice', expected.name]);
    expect(call.document.metadata).toHaveLength(message.metadata ? 2 : 1);
  });

  test('re-INVITE without body: the answer in the ACK puts a stream on hold', async () => {
    await begin();
    await client.send('INVITE');
    await client.send('ACK', { sdp: held });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.silent(1, 1_100, 1_900), call.hears(0, alice, 1_100, 1_900)]).toEqual([true, true]);
  });
});

describe('streams that change', () => {
  test('another codec in the middle', async () => {
    await begin();
    const toPcma = offer('0', '1').replaceAll('RTP/AVP 0', 'RTP/AVP 8');
    await client.send('INVITE', { sdp: toPcma });
    recorder.hush();
    recorder.talk({ port: client.port(0), hz: alice, format: PCMA }, { port: client.port(1), hz: bob, format: PCMA });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.hears(0, alice, 1_100, 1_900), call.hears(1, bob, 1_100, 1_900)]).toEqual([true, true]);
    expect(call.document.streams.map(({ codecs }) => codecs.toSorted())).toEqual([
      ['PCMA/8000', 'PCMU/8000'],
      ['PCMA/8000', 'PCMU/8000'],
    ]);
    expect(call.document.timeline.find(({ type }) => type === 'stream-changed')?.detail).toBe(
      'codec PCMU/8000 is now PCMA/8000',
    );
  });

  test('a payload type that means something else from then on, and its old meaning once more: each packet as it was meant', async () => {
    const as = (encoding: string) => {
      const line = `m=audio $1 RTP/AVP 97\r\na=rtpmap:97 ${encoding}/8000`;
      return offer('0', '1').replace(/m=audio (\d+) RTP\/AVP 0/g, line);
    };
    await client.call({ sdp: as('PCMA'), metadata: both });
    for (const encoding of ['PCMA', 'PCMU', 'PCMA']) {
      await client.send('INVITE', { sdp: as(encoding) });
      recorder.hush();
      const format = { ...PCMA, payloadType: 97, encoding };
      recorder.talk({ port: client.port(0), hz: alice, format }, { port: client.port(1), hz: bob, format });
      await recorder.pass(1_000);
    }
    const call = await end();
    for (const fromMs of [50, 1_100, 2_100]) {
      expect([call.hears(0, alice, fromMs, fromMs + 800), call.hears(1, bob, fromMs, fromMs + 800)]).toEqual([
        true,
        true,
      ]);
      // The wrong table would still have the tone, at another loudness.
      for (const [channel, hz] of [alice, bob].entries())
        expect(call.level(channel, hz, fromMs, fromMs + 800)).toBeCloseTo(call.level(channel, hz, 50, 850), 0);
    }
    expect(call.document.streams.map(({ codecs }) => codecs.toSorted())).toEqual([
      ['PCMA/8000', 'PCMU/8000'],
      ['PCMA/8000', 'PCMU/8000'],
    ]);
  });

  test('another port and address of the client change nothing: our ports stay', async () => {
    await begin();
    const ports = [client.port(0), client.port(1)];
    await client.send('INVITE', {
      sdp: offer('0', '1').replaceAll('192.0.2.1', '198.51.100.7').replace('35000', '45000'),
    });
    expect([client.port(0), client.port(1)]).toEqual(ports);
    await recorder.pass(1_000);
    const call = await end();
    expect([call.hears(0, alice, 50, 1_900), call.hears(1, bob, 50, 1_900)]).toEqual([true, true]);
  });

  test.each([
    ['in front', ['2', '0', '1']],
    ['in the middle', ['0', '2', '1']],
    ['at the end', ['0', '1', '2']],
  ])('a third party with a stream %s', async (_name, labels) => {
    await begin();
    const xml = saying({ parties: [party('alice', '0'), party('bob', '1'), party('carol', '2')] });
    await client.send('INVITE', { sdp: offer(...labels), metadata: xml });
    recorder.talk({ port: client.port('2'), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(channels(call)).toEqual({ alice: 0, bob: 1, carol: 1 });
    expect(call.hears(0, alice, 50, 1_900)).toBe(true);
    expect([bob, carol].map((hz) => call.level(1, hz, 1_100, 1_900) > -20)).toEqual([true, true]);
    expect(happened(call, 'joined', 'stream-added')).toEqual(['joined carol at 1', 'stream-added s2 at 1']);
  });

  test('m-lines in another order', async () => {
    await begin();
    await client.send('INVITE', { sdp: offer('1', '0') });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.hears(0, alice, 50, 1_900), call.hears(1, bob, 50, 1_900)]).toEqual([true, true]);
  });

  test('a label used again by somebody else: the earlier stream stays the first one’s', async () => {
    await begin();
    await client.send('INVITE', { sdp: offer('0'), metadata: saying({ parties: [party('alice', '0')] }) });
    recorder.hush(client.port(1));
    await recorder.pass(500);
    await client.send('INVITE', {
      sdp: offer('0', '1'),
      metadata: saying({ parties: [party('alice', '0'), party('carol', '1')] }),
    });
    recorder.talk({ port: client.port(1), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(call.document.streams.map(({ label, participantId }) => [label, participantId])).toEqual([
      ['0', 'alice'],
      ['1', 'bob'],
      ['1', 'carol'],
    ]);
    expect([call.hears(1, bob, 50, 900), call.silent(1, 1_100, 1_450), call.hears(1, carol, 1_600, 2_400)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('a stream gets another label', async () => {
    await begin();
    await client.send('INVITE', {
      sdp: offer('0', '7'),
      metadata: saying({ parties: [party('alice', '0'), party('bob', '7')] }),
    });
    recorder.talk({ port: client.port('7'), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(call.hears(0, alice, 50, 1_900)).toBe(true);
    expect(call.document.streams.map(({ participantId }) => participantId)).toEqual(['alice', 'bob', 'bob']);
  });
});

describe('parties that change', () => {
  test('the callee is transferred: Bob leaves, Carol speaks on his stream', async () => {
    await begin();
    await client.send('UPDATE', { metadata: saying({ parties: [party('alice', '0'), party('carol', '1')] }) });
    recorder.hush(client.port(1));
    recorder.talk({ port: client.port(1), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(call.document.participants.map(({ id, role, channel, rule }) => [id, role, channel, rule])).toEqual([
      ['alice', 'caller', 0, 'metadata-order'],
      ['bob', 'callee', 1, 'metadata-order'],
      ['carol', 'other', 1, 'further-party'],
    ]);
    expect(happened(call, 'joined', 'left', 'sender')).toEqual([
      'joined carol at 1',
      'left bob at 1',
      'sender s1 at 1',
    ]);
    expect(call.document.streams[1]?.senders?.map(({ participantId }) => participantId)).toEqual(['bob', 'carol']);
    expect([call.hears(1, bob, 50, 950), call.hears(1, carol, 1_050, 1_900)]).toEqual([true, true]);
  });

  test('the caller leaves and Carol comes with a stream of her own: she takes the free side', async () => {
    await begin();
    recorder.hush(client.port('0'));
    await client.send('INVITE', {
      sdp: offer('1', '2'),
      metadata: saying({ parties: [party('bob', '1'), party('carol', '2')] }),
    });
    recorder.talk({ port: client.port('2'), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(call.document.participants.map(({ id, channel, rule }) => [id, channel, rule])).toEqual([
      ['alice', 0, 'metadata-order'],
      ['bob', 1, 'metadata-order'],
      ['carol', 0, 'takes-free-side'],
    ]);
    expect([call.hears(0, carol, 1_100, 1_900), call.hears(1, bob, 1_100, 1_900)]).toEqual([true, true]);
  });

  test('a party leaves by its disassociate-time, and comes back', async () => {
    await begin();
    const tie = (more: string) =>
      `<recording><datamode>partial</datamode><participantsessionassoc participant_id="bob" session_id="${CS}">${more}</participantsessionassoc></recording>`;
    await client.send('UPDATE', { metadata: tie('<disassociate-time>2026-01-01T12:00:01Z</disassociate-time>') });
    await recorder.pass(1_000);
    await client.send('UPDATE', { metadata: tie('<associate-time>2026-01-01T12:00:02Z</associate-time>') });
    await recorder.pass(1_000);
    const call = await end();
    expect(happened(call, 'left', 'joined')).toEqual(['left bob at 1', 'joined bob at 2']);
    expect(call.document.timeline.find(({ type }) => type === 'joined')?.statedTime).toBe('2026-01-01T12:00:02.000Z');
    expect(channels(call)).toEqual({ alice: 0, bob: 1 });
  });

  test('partial metadata adds a party to those known', async () => {
    await begin();
    await client.send('INVITE', {
      sdp: offer('0', '1', '2'),
      metadata: saying({ dataMode: 'partial', parties: [party('carol', '2')] }),
    });
    await recorder.pass(500);
    expect(channels(await end())).toEqual({ alice: 0, bob: 1, carol: 1 });
  });
});

describe('knowledge that comes late', () => {
  test('no metadata at first: the parties of the headers give way to the real ones', async () => {
    await client.call({ sdp: offer('0', '1'), lines: ['From: "Trunk" <sip:trunk@sbc.example>;tag=a'] });
    recorder.talk({ port: client.port(0), hz: bob }, { port: client.port(1), hz: alice });
    await recorder.pass(1_000);
    await client.send('UPDATE', { metadata: saying({ parties: [party('alice', '1'), party('bob', '0')] }) });
    await recorder.pass(1_000);
    const call = await end();
    expect(channels(call)).toEqual({ alice: 0, bob: 1 });
    expect([call.hears(0, alice, 50, 1_900), call.hears(1, bob, 50, 1_900)]).toEqual([true, true]);
    expect(call.document.streams.map(({ rule }) => rule)).toEqual([
      'participant-stream-association',
      'participant-stream-association',
    ]);
    expect(happened(call, 'identified', 'joined', 'left')).toEqual(['identified alice at 1', 'identified bob at 1']);
  });

  test('a dummy party at first', async () => {
    const dummy = { ...party('px', '1'), aor: 'sip:anonymous@invalid', name: 'unknown' };
    await begin(offer('0', '1'), saying({ parties: [party('alice', '0'), dummy] }));
    await client.send('UPDATE', { metadata: both });
    await recorder.pass(1_000);
    const call = await end();
    expect(channels(call)).toEqual({ alice: 0, bob: 1 });
    expect(call.document.streams[1]?.senders).toMatchObject([{ participantId: 'bob', until: null }]);
    expect(call.document.streams[1]?.senders?.[0]?.from).toBe(call.document.times.start);
  });

  test('a mistake is corrected while both are there: it counts from the beginning', async () => {
    await begin(offer('0', '1'), saying({ parties: [party('alice', '1'), party('bob', '0')] }));
    await client.send('UPDATE', { metadata: both });
    await recorder.pass(500);
    const call = await end();
    expect([call.hears(0, alice, 50, 1_400), call.hears(1, bob, 50, 1_400)]).toEqual([true, true]);
  });

  test('the metadata names a stream before it is offered', async () => {
    await begin();
    await client.send('UPDATE', {
      metadata: saying({ parties: [party('alice', '0'), party('bob', '1'), party('carol', '2')] }),
    });
    await recorder.pass(500);
    await client.send('INVITE', { sdp: offer('0', '1', '2') });
    recorder.talk({ port: client.port('2'), hz: carol });
    await recorder.pass(500);
    const call = await end();
    expect(call.document.streams[2]).toMatchObject({ participantId: 'carol', rule: 'participant-stream-association' });
  });
});

describe('one mixed stream', () => {
  test.each<[string, string | null]>([
    ['both parties are said to send it', saying({ parties: [party('alice', '0'), party('bob', '0')] })],
    ['nobody is said to send it', saying({ parties: [party('alice'), party('bob')] })],
  ])('%s: one channel for all', async (_name, xml) => {
    await client.call({ sdp: offer('0'), metadata: xml });
    recorder.talk({ port: client.port(0), hz: alice }, { port: client.port(0), hz: bob });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.channels, call.document.audio?.layout]).toEqual([1, 'mono']);
    expect(call.document.streams[0]?.rule).toBe('mixed-stream');
    expect(call.document.warnings.map(({ code }) => code)).toEqual(['mixed-audio']);
  });

  test('one party of two is said to send it: her channel, and silence in the other', async () => {
    await begin(offer('0'), saying({ parties: [party('alice', '0'), party('bob')] }));
    const call = await end();
    expect([call.channels, call.hears(0, alice, 50, 950), call.silent(1, 0, 950)]).toEqual([2, true, true]);
  });
});

describe('several sessions of one call', () => {
  test('a failover list tries us twice, both go on sending: each party is heard once', async () => {
    await begin();
    const retry = new VirtualClient(recorder);
    await retry.call({ sdp: offer('0', '1'), metadata: both });
    recorder.talk({ port: retry.port(0), hz: alice }, { port: retry.port(1), hz: bob });
    await recorder.pass(1_000);
    await client.send('BYE');
    await recorder.pass(1_000);
    await retry.send('BYE');
    const [call, ...others] = await recorder.finished();
    expect(others).toEqual([]);
    const levels = [
      [200, 900],
      [1_200, 1_900],
      [2_200, 2_900],
    ].map(([from, to]) => Math.round(call!.level(0, alice, from!, to!)));
    expect(new Set(levels).size).toBe(1);
    expect(call!.hears(1, bob, 50, 2_900)).toBe(true);
    expect(call!.document.sessions.map(({ joinedBy }) => joinedBy)).toEqual(['first', 'session-id']);
    expect(call!.document.streams.map(({ session }) => session)).toEqual([1, 1, 2, 2]);
  });

  test('the later one falls silent first: the earlier one is heard again', async () => {
    await begin();
    const retry = new VirtualClient(recorder);
    await retry.call({ sdp: offer('0', '1'), metadata: both });
    recorder.talk({ port: retry.port(0), hz: carol });
    await recorder.pass(1_000);
    await retry.send('BYE');
    await recorder.pass(1_000);
    const call = await end();
    expect([
      call.hears(0, alice, 50, 900),
      call.hears(0, carol, 1_100, 1_900),
      call.hears(0, alice, 2_100, 2_900),
    ]).toEqual([true, true, true]);
  });

  test('near end and far end, one stream each: one stereo recording', async () => {
    const near = saying({ parties: [party('alice', '1')] });
    const far = saying({ parties: [party('bob', '1')] });
    await client.call({ sdp: offer('1'), metadata: near });
    const other = new VirtualClient(recorder);
    await other.call({ sdp: offer('1'), metadata: far });
    recorder.talk({ port: client.port(0), hz: alice }, { port: other.port(0), hz: bob });
    await recorder.pass(1_000);
    await other.send('BYE');
    const call = await end();
    expect([call.channels, call.hears(0, alice, 50, 950), call.hears(1, bob, 50, 950)]).toEqual([2, true, true]);
  });

  test('two calls in one session: a recording of each, with its own audio', async () => {
    const other = 'zdxqOWdrRRWpr5VCRB1qcA==';
    const xml = metadata({
      parties: [
        party('alice', '0'),
        party('bob', '1'),
        { id: 'carol', sends: ['2'], sessionId: other },
        { id: 'dave', sends: ['3'], sessionId: other },
      ],
      furtherSessions: [other],
    });
    await client.call({ sdp: offer('0', '1', '2', '3'), metadata: xml });
    for (const [index, hz] of Object.values(TONES).entries()) recorder.talk({ port: client.port(index), hz });
    await recorder.pass(1_000);
    await client.send('BYE');
    const calls = await recorder.finished();
    expect(calls.map(({ document }) => document.call.communicationSessionId).toSorted()).toEqual([CS, other]);
    const [one, two] = calls[0]!.document.call.communicationSessionId === CS ? calls : calls.toReversed();
    expect([
      one!.hears(0, alice, 50, 950),
      one!.hears(1, bob, 50, 950),
      two!.hears(0, carol, 50, 950),
      two!.hears(1, TONES.dave, 50, 950),
    ]).toEqual([true, true, true, true]);
  });
});
