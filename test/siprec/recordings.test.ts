// Recording sessions and communication sessions, many to many, through the door with a recorder that only remembers.
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { createSiprecDoor, type SiprecDoor } from '../../src/siprec/door.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { CONTENT_TYPE, multipart } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { settle } from './fake-request.ts';
import { FakeSrf, sipMessage } from './fake-srf.ts';
import { metadata, offer } from './texts.ts';

let clock: ManualClock;
let recorder: FakeRecorder;
let srf: FakeSrf;
let door: SiprecDoor;

beforeEach(() => {
  clock = new ManualClock();
  recorder = new FakeRecorder();
  srf = new FakeSrf();
  door = createSiprecDoor({ srf, recorder, clock, log: silentLog, mediaAddress: '192.0.2.10' });
  door.start();
});

test('a full recorder still takes what joins a running recording, and reads nothing of what does not', async () => {
  const first = await call('one');
  recorder.refusing = 'TOO_MANY_RECORDINGS';
  const retry = await call('two');
  const another = await call('three', { xml: metadata({ parties: both }).replaceAll(CS, OTHER_CS) });
  expect([first.status, retry.status, another.status]).toEqual([200, 200, 503]);
  expect(another.response.sent[0]?.headers).toMatchObject({ 'Retry-After': '10' });
  expect([recorder.recordings.length, door.sessions]).toEqual([1, 2]);
  recorder.refusing = 'DRAINING';
  expect((await call('four')).status).toBe(503);
});

const CS = 'hVpd7YQgRW2nD22h7q60JQ==';
const OTHER_CS = 'zdxqOWdrRRWpr5VCRB1qcA==';
const party = (id: string, sends: string[], sessionId = CS) => ({ id, sends, sessionId });
const both = [party('alice', ['0']), party('bob', ['1'])];

interface Call {
  sdp?: string;
  xml?: string | null;
  lines?: string[];
}

/** INVITE, 200, ACK of a new dialog. */
async function call(
  callId: string,
  { sdp = offer('0', '1'), xml = metadata({ parties: both }), lines = [] }: Call = {},
) {
  const invite = sipMessage(
    'INVITE',
    [`Call-ID: ${callId}`, `Content-Type: ${CONTENT_TYPE}`, ...lines],
    multipart(sdp, xml),
  );
  const { request, response } = srf.receive(invite);
  await settle();
  clock.advance(10);
  await settle();
  const dialogId = response.stackDialogId ?? '';
  return {
    request,
    response,
    answer: response.sent[0]?.body ?? '',
    status: response.sent[0]?.status,
    async send(method: string, body = '', lines: string[] = []) {
      const type = body === '' ? [] : [`Content-Type: ${CONTENT_TYPE}`];
      const headers = [`Call-ID: ${callId}`, 'To: <sip:recorder@srs.example>;tag=t', ...type, ...lines];
      const sent = srf.receive(sipMessage(method, headers, body), {
        stackDialogId: dialogId,
        source: lines.includes('Reason: SIP;cause=200;text="ACK timeout"') ? 'application' : 'network',
      });
      await settle();
      return sent.response.sent[0];
    },
  };
}

const portsOf = (sdp: string | undefined) =>
  [...(sdp ?? '').matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
const keysOf = (index = 0) => recorder.recordings[index]?.updates.at(-1)?.streams?.map(({ key }) => key);

describe('one communication session in several recording sessions', () => {
  test('a retry of a failover list while the first try is up: one recording, sealed when both have left', async () => {
    const first = await call('rs-1');
    const second = await call('rs-2');
    expect([second.status, recorder.recordings.length]).toEqual([200, 1]);
    expect(keysOf()).toEqual(['0', '1', '2:0', '2:1']);
    expect(new Set([...portsOf(first.answer), ...portsOf(second.answer)]).size).toBe(4);
    await first.send('BYE', '', ['Reason: Q.850;cause=16;text="Normal call clearing"']);
    expect(recorder.recording.stops).toEqual([]);
    expect(keysOf()).toEqual(['2:0', '2:1']);
    await second.send('BYE');
    expect(recorder.recording.stops).toEqual(['ended']);
    expect(recorder.recording.sessions).toMatchObject([
      {
        sipCallId: 'rs-1',
        joinedBy: 'first',
        endReason: 'ended',
        reasons: ['Q.850;cause=16;text="Normal call clearing"'],
      },
      { sipCallId: 'rs-2', joinedBy: 'session-id', endReason: 'ended', reasons: [] },
    ]);
    expect(door.sessions).toBe(0);
  });

  test('a retry within the grace after a session that was never acknowledged', async () => {
    const first = await call('rs-1');
    await first.send('BYE', '', ['Reason: SIP;cause=200;text="ACK timeout"']);
    expect([door.sessions, recorder.recording.stops]).toEqual([0, []]);
    clock.advance(4_000);
    const second = await call('rs-2');
    clock.advance(60_000);
    expect([recorder.recordings.length, recorder.recording.stops]).toEqual([1, []]);
    await second.send('BYE');
    expect(recorder.recording.stops).toEqual(['ended']);
  });

  test('two that begin at the same moment', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.startGate = promise;
    const calls = Promise.all([call('rs-1'), call('rs-2')]);
    await settle();
    resolve();
    await settle();
    clock.advance(10);
    expect((await calls).length).toBe(2);
    expect(recorder.recordings).toHaveLength(1);
  });

  test('the first one is refused: the second one begins anew', async () => {
    recorder.failStart = 'NO_PORTS';
    expect((await call('rs-1')).status).toBe(503);
    recorder.failStart = null;
    expect((await call('rs-2')).status).toBe(200);
    expect(recorder.recordings).toHaveLength(1);
  });

  test('after the end: a new recording that continues the earlier one', async () => {
    await (await call('rs-1')).send('BYE');
    await call('rs-2');
    expect(recorder.recordings[1]?.request.call.identifiers.continues).toBe('recording-1');
  });

  test('by the sipSessionID, when the two clients name the session differently', async () => {
    const sip = ['f00dcafe@pbx.example'];
    await call('rs-1', { xml: metadata({ parties: both, sipSessionIds: sip }) });
    await call('rs-2', {
      xml: metadata({ sessionId: OTHER_CS, parties: [party('p7', ['0'], OTHER_CS)], sipSessionIds: sip }),
    });
    expect(recorder.recordings).toHaveLength(1);
    expect(recorder.recording.sessions[1]?.joinedBy).toBe('sip-session-id');
  });

  test('by an id of a vendor', async () => {
    const xml = null;
    await call('rs-1', { xml, lines: ['Cisco-Guid: 1234567890-0987654321-1122334455-5544332211'] });
    await call('rs-2', { xml, lines: ['Cisco-Guid: 1234567890-0987654321-1122334455-5544332211'] });
    expect([recorder.recordings.length, recorder.recording.sessions[1]?.joinedBy]).toEqual([1, 'vendor-id:cisco-guid']);
  });

  test.each<[string, Call, Call]>([
    ['the same parties', { xml: null }, { xml: null }],
    [
      'the same group',
      { xml: metadata({ parties: both, group: 'sales' }) },
      { xml: metadata({ sessionId: OTHER_CS, parties: [], group: 'sales' }) },
    ],
    [
      'one session id, two recorded calls',
      { xml: metadata({ parties: both, sipSessionIds: ['call-one@pbx'] }) },
      { xml: metadata({ parties: both, sipSessionIds: ['call-two@pbx'] }) },
    ],
  ])('%s: two recordings', async (_name, one, other) => {
    await call('rs-1', one);
    await call('rs-2', other);
    expect(recorder.recordings).toHaveLength(2);
  });

  test('an id that comes in more sessions than a call can have is no id', async () => {
    for (let i = 0; i < 10; i++) await call(`rs-${i}`);
    expect(recorder.recordings).toHaveLength(7);
  });

  test('near end and far end, each with one stream of the same label: two parties, two streams', async () => {
    await call('near', { sdp: offer('1'), xml: metadata({ parties: [party('alice', ['1'])] }) });
    await call('far', { sdp: offer('1'), xml: metadata({ parties: [party('bob', ['1'])] }) });
    const { call: described } = recorder.recording.updates.at(-1) ?? {};
    expect(described?.participants.map(({ participantId, sends }) => [participantId, sends])).toEqual([
      ['alice', ['0']],
      ['bob', ['2:0']],
    ]);
  });

  test('a party that both sessions name is one, by its address', async () => {
    await call('rs-1');
    await call('rs-2', {
      xml: metadata({ parties: [{ ...party('p9', ['0']), aor: 'sip:alice@example.com:5080' }, party('bob', ['1'])] }),
    });
    const { call: described } = recorder.recording.updates.at(-1) ?? {};
    expect(described?.participants.map(({ participantId, sends }) => [participantId, sends])).toEqual([
      ['alice', ['0', '2:0']],
      ['bob', ['1', '2:1']],
    ]);
  });

  test('the recorder ends the recording: both dialogs get a BYE', async () => {
    const calls = [await call('rs-1'), await call('rs-2')];
    for (const each of calls) await each.send('ACK');
    recorder.recording.request.onEnded('max-duration');
    await settle();
    expect(srf.outgoing.map(({ method }) => method)).toEqual(['BYE', 'BYE']);
  });

  test('no port is left for the second: 503, the first goes on', async () => {
    const first = await call('rs-1');
    recorder.recording.failUpdate = 'NO_PORTS';
    expect((await call('rs-2')).status).toBe(503);
    expect(recorder.recording.stops).toEqual([]);
    await first.send('BYE');
    expect(recorder.recording.stops).toEqual(['ended']);
  });
});

describe('several communication sessions in one recording session', () => {
  const two = (ended?: string) =>
    metadata({
      parties: [
        party('alice', ['0']),
        party('bob', ['1']),
        party('carol', ['2'], OTHER_CS),
        party('dave', ['3'], OTHER_CS),
      ],
      furtherSessions: [OTHER_CS],
      ...(ended === undefined ? {} : { ended: [ended] }),
    });

  test('each its own recording, with its own parties and streams; one answer for all', async () => {
    const session = await call('rs-1', { sdp: offer('0', '1', '2', '3'), xml: two() });
    expect(portsOf(session.answer)).toEqual([40_000, 40_002, 40_004, 40_006]);
    expect(
      recorder.recordings.map(({ request }) => [
        request.call.identifiers.communicationSessionId,
        request.call.participants.map(({ participantId }) => participantId),
        request.streams.map(({ label }) => label),
      ]),
    ).toEqual([
      [CS, ['alice', 'bob'], ['0', '1']],
      [OTHER_CS, ['carol', 'dave'], ['2', '3']],
    ]);
    await session.send('BYE');
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['ended'], ['ended']]);
    expect(recorder.recordings.map(({ journal }) => journal.length)).toEqual([4, 4]);
  });

  test('one ends while the other goes on', async () => {
    const session = await call('rs-1', { sdp: offer('0', '1', '2', '3'), xml: two() });
    const answer = await session.send('INVITE', multipart(offer('2', '3'), two(CS)));
    expect(portsOf(answer?.body)).toEqual([40_004, 40_006]);
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['ended'], []]);
  });

  test('the next call in the same recording session: its own recording, on new ports', async () => {
    const session = await call('rs-1');
    await session.send(
      'INVITE',
      multipart(
        offer('0', '1'),
        metadata({
          parties: [party('carol', ['0'], OTHER_CS), party('bob', ['1'], OTHER_CS)],
          furtherSessions: [OTHER_CS],
          ended: [CS],
        }),
      ),
    );
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['ended'], []]);
    expect(recorder.recordings[1]?.request.streams.map(({ label }) => label)).toEqual(['0', '1']);
  });

  test('metadata alone moves no stream: it has no new port to offer', async () => {
    const session = await call('rs-1');
    const next = metadata({ parties: [party('carol', ['0'], OTHER_CS)], furtherSessions: [OTHER_CS], ended: [CS] });
    await session.send('UPDATE', multipart(null, next));
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([[]]);
    await session.send('BYE');
    expect(recorder.recording.stops).toEqual(['ended']);
  });

  test('a session whose id changes without an end is the same call', async () => {
    const session = await call('rs-1');
    await session.send(
      'UPDATE',
      multipart(null, metadata({ sessionId: OTHER_CS, parties: [party('alice', ['0'], OTHER_CS)] })),
    );
    expect([
      recorder.recordings.length,
      recorder.recording.updates.at(-1)?.call?.identifiers.communicationSessionId,
    ]).toEqual([1, OTHER_CS]);
  });

  test('the recorder ends one of them: the dialog goes on for the other', async () => {
    const session = await call('rs-1', { sdp: offer('0', '1', '2', '3'), xml: two() });
    await session.send('ACK');
    recorder.recordings[0]?.request.onEnded('max-duration');
    await settle();
    expect([
      srf.outgoing.length,
      (await session.send('INVITE', multipart(offer('0', '1', '2', '3'), two())))?.status,
    ]).toEqual([0, 200]);
    expect(recorder.recordings).toHaveLength(2);
    recorder.recordings[1]?.request.onEnded('max-duration');
    await settle();
    expect(srf.outgoing.map(({ method }) => method)).toEqual(['BYE']);
  });
});

test('after a restart the sessions are built again from what session.json holds', async () => {
  const first = await call('rs-1');
  await first.send('ACK');
  await call('rs-2');
  const kept = JSON.parse(JSON.stringify(recorder.recording.door));

  const later = new FakeSrf();
  const again = createSiprecDoor({ srf: later, recorder, clock, log: silentLog, mediaAddress: '192.0.2.10' });
  const ends = again.restore([{ recording: recorder.recording, door: kept }]);
  again.start();
  expect([again.sessions, [...ends.keys()]]).toEqual([2, ['recording-1']]);
  srf = later;
  const inside = async (callId: string, method: string, body = '') => {
    const headers = [`Call-ID: ${callId}`, 'To: <sip:recorder@srs.example>;tag=t', `Content-Type: ${CONTENT_TYPE}`];
    const { response } = later.receive(sipMessage(method, headers, body), { stackDialogId: `${callId};from-tag=a` });
    await settle();
    return response.sent[0];
  };
  const held = await inside('rs-1', 'INVITE', multipart(offer('0', '1').replaceAll('sendonly', 'inactive')));
  expect(portsOf(held?.body)).toEqual(portsOf(first.answer));
  expect(recorder.recording.updates.at(-1)?.streams?.map(({ key, sending }) => [key, sending])).toEqual([
    ['0', false],
    ['1', false],
    ['2:0', true],
    ['2:1', true],
  ]);
  // A third session of the call still finds the recording.
  await call('rs-3');
  expect(recorder.recordings).toHaveLength(1);
  for (const callId of ['rs-1', 'rs-2', 'rs-3']) await inside(callId, 'BYE');
  expect([recorder.recording.stops, again.sessions]).toEqual([['ended'], 0]);
  expect(recorder.recording.sessions.map(({ sipCallId }) => sipCallId)).toEqual(['rs-1', 'rs-2', 'rs-3']);
});

describe('after a restart, a session that was being answered', () => {
  /** Answered or not: nothing was saved after the recording began. */
  const restarted = async () => {
    await call('rs-1');
    const kept = JSON.parse(JSON.stringify(recorder.recording.request.brought?.door));
    srf = new FakeSrf();
    const again = createSiprecDoor({ srf, recorder, clock, log: silentLog, mediaAddress: '192.0.2.10' });
    const ends = again.restore([{ recording: recorder.recording, door: kept }]);
    again.start();
    return { again, ends };
  };

  test('the INVITE comes again: its client has no answer, so its recording is cancelled and another one begins', async () => {
    const { again } = await restarted();
    expect([again.sessions, recorder.recording.stops]).toEqual([0, []]);
    const session = await call('rs-1');
    expect(session.status).toBe(200);
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['cancelled'], []]);
    // What it left is discarded, so there is nothing to continue.
    expect(recorder.recordings[1]?.request.call.identifiers.continues ?? null).toBeNull();
    await session.send('BYE');
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['cancelled'], ['ended']]);
  });

  test('another INVITE of the call joins its recording, which goes on', async () => {
    await restarted();
    await call('rs-2');
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([[]]);
  });

  test('the recorder ends its recording: the INVITE is a new one then', async () => {
    const { ends } = await restarted();
    ends.get('recording-1')?.('abandoned');
    await call('rs-1');
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([[], []]);
    expect(recorder.recordings[1]?.request.call.identifiers.continues).toBe('recording-1');
  });
});
