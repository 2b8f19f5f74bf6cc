import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { LogLimiter } from '../../src/lib/log-limiter.ts';
import { Calls } from '../../src/oreka/calls.ts';
import { newCounters, type OrekaCounters } from '../../src/oreka/counters.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeRecorder, type FakeRecording } from './fake-recorder.ts';
import { bye, CALL_ID, captured, invite, message, type TextOptions } from './texts.ts';

const GRACE_MS = 10_000;
const SETTLE_MS = 50;

let clock: ManualClock;
let recorder: FakeRecorder;
let calls: Calls;
let counters: OrekaCounters;
let logged: string[];

function setUp(): void {
  clock = new ManualClock();
  recorder = new FakeRecorder();
  counters = newCounters();
  logged = [];
  const log = {
    ...silentLog,
    warn: (_: object, text: string) => logged.push(text),
    error: (_: object, text: string) => logged.push(text),
  };
  calls = new Calls({
    recorder,
    clock,
    log: { ...log, child: () => silentLog },
    limiter: new LogLimiter(clock),
    counters,
    byeGraceMs: GRACE_MS,
    inactivityMs: 3_600_000,
  });
}

beforeEach(setUp);

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** In the datagram's own turn. */
function receive(datagram: Buffer) {
  return calls.receive(message(datagram), {
    timeMs: clock.nowMs(),
    datagram,
    remote: { host: '127.0.0.1', port: 34471 },
    local: { host: '0.0.0.0', port: 6000 },
  });
}

const INVITE = (side: 'RX' | 'TX', options: TextOptions = {}) => receive(invite({ side, ...options }));
const BYE = (side: 'RX' | 'TX', options: TextOptions = {}) => receive(bye({ side, ...options }));

async function pass(ms: number): Promise<void> {
  await settle();
  clock.advance(ms);
  await settle();
}

/** A call with both streams, running. */
async function running(): Promise<FakeRecording> {
  INVITE('RX');
  INVITE('TX');
  await settle();
  return recorder.recording;
}

const codes = (recording: FakeRecording) => recording.warnings.map((warning) => warning.code);

describe('start', () => {
  test('a port is requested before the handler returns', () => {
    INVITE('RX', { port: 18_000 });
    expect(recorder.ports.map((port) => port.address)).toEqual([
      { host: '127.0.0.1', port: 18_000, sourceHost: '127.0.0.40' },
    ]);
  });

  test('RX and TX become one recording', async () => {
    INVITE('RX');
    INVITE('TX');
    await settle();
    const { onEnded: _, ...request } = recorder.recording.request;
    const stream = (key: string, label: string, port: number) => ({
      key,
      label,
      formats: [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 8_000, channels: 1, fmtp: null }],
      sending: true,
      announced: recorder.ports.find((each) => each.address.port === port),
    });
    // Both ports were bound before the first step had its turn.
    expect(request).toEqual({
      source: 'oreka',
      call: expect.objectContaining({
        participants: [
          { participantId: 'caller', aor: 'sip:2001@127.0.0.40', name: 'Alice', sends: ['rx'], role: 'caller' },
          { participantId: 'callee', aor: 'sip:1002@127.0.0.40', name: null, sends: ['tx'], role: 'callee' },
        ],
      }),
      streams: [stream('rx', 'RX', 18_756), stream('tx', 'TX', 21_210)],
      metadata: null,
      warnings: [],
      peer: 'udp:127.0.0.1:34471',
      brought: { door: { kind: 'oreka', callId: CALL_ID } },
      inactivityMs: 3_600_000,
    });
    expect([calls.size, counters.started, recorder.recording.stops]).toEqual([1, 1, []]);
  });

  test.each([
    ['RX', 'TX'],
    ['TX', 'RX'],
  ] as const)('%s starts at once, %s follows by update', async (first, second) => {
    INVITE(first);
    await settle();
    expect(recorder.recording.streams).toEqual([first.toLowerCase()]);
    INVITE(second);
    await settle();
    expect(recorder.recording.streams).toEqual([first.toLowerCase(), second.toLowerCase()]);
    expect(recorder.recording.call.participants.map((party) => party.sends)).toEqual([['rx'], ['tx']]);
  });

  test('the second stream is kept for the recorder while it starts', async () => {
    const gate = Promise.withResolvers<void>();
    recorder.startGate = gate.promise;
    INVITE('RX');
    await settle();
    INVITE('TX');
    await settle();
    expect([recorder.ports.length, recorder.recordings.length]).toEqual([2, 0]);
    gate.resolve();
    await settle();
    expect(recorder.recording.streams).toEqual(['rx', 'tx']);
  });

  test('every text is journalled, also those before the recording and what was answered', async () => {
    const journalSent = INVITE('RX')!;
    journalSent(Buffer.from('SIP/2.0 200 OK\r\n\r\n'));
    INVITE('TX');
    await settle();
    BYE('RX');
    BYE('TX');
    const { recording } = recorder;
    expect(recording.journalLines).toEqual(['< BEGIN RX', '> SIP/2.0 200 OK', '< BEGIN TX', '< END RX', '< END TX']);
    const { message: octets, ...first } = recording.journal[0]!;
    expect(Buffer.from(octets)).toEqual(invite());
    expect(first).toEqual({
      timeMs: clock.nowMs(),
      direction: 'received',
      transport: 'udp',
      local: { host: '127.0.0.1', port: 6000 },
      remote: { host: '127.0.0.1', port: 34471 },
    });
  });

  test('an IPv6 recorder does not expect the IPv4 address of o=', () => {
    INVITE('RX', { host: '::1' });
    expect(recorder.ports[0]?.address).toEqual({ host: '::1', port: 18_756, sourceHost: null });
  });

  test('a text without a side takes the one that is free', async () => {
    receive(invite({ side: null, port: 18_000 }));
    receive(invite({ side: null, port: 18_002 }));
    receive(invite({ side: null, port: 18_002 }));
    await settle();
    expect([recorder.recording.streams, counters.duplicateInvites]).toEqual([['rx', 'tx'], 1]);
    receive(bye({ side: null }));
    await pass(SETTLE_MS);
    expect(recorder.recording.stops).toEqual(['ended']);
  });
});

describe('INVITE again', () => {
  test('with the same port is a duplicate', async () => {
    const recording = await running();
    INVITE('RX');
    await settle();
    expect([recorder.ports.length, recording.updates.length, counters.duplicateInvites]).toEqual([2, 0, 1]);
  });

  test('with another port is a new stream of the same call', async () => {
    const recording = await running();
    INVITE('RX', { port: 20_000 });
    await settle();
    expect(recording.streams).toEqual(['tx', 'rx#2']);
    expect(recording.call.participants.map((party) => party.sends)).toEqual([['rx', 'rx#2'], ['tx']]);
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([recording.stops, recorder.held]).toEqual([['ended'], []]);
  });

  test('from another FreeSWITCH is not a duplicate', async () => {
    const recording = await running();
    INVITE('RX', { sourceHost: '127.0.0.41' });
    await settle();
    expect(recording.streams).toEqual(['tx', 'rx#2']);
  });

  test('without end is refused', async () => {
    for (let port = 20_000; port < 20_100; port += 2) INVITE('RX', { port });
    await settle();
    expect([recorder.ports.length, counters.excessiveInvites]).toEqual([32, 18]);
  });
});

describe('end', () => {
  test('both BYEs end the recording, with one update that says who was connected', async () => {
    const recording = await running();
    BYE('RX', { to: '1003' });
    BYE('TX', { to: '1003' });
    expect(calls.size).toBe(1);
    await pass(SETTLE_MS);
    expect([recording.stops, recording.updates.length, recording.streams]).toEqual([['ended'], 1, ['rx', 'tx']]);
    expect(recording.call.identifiers.vendor).toMatchObject({ 'last-connected-number': '1003' });
    expect([calls.size, recorder.held, clock.pendingTimers, codes(recording)]).toEqual([0, [], 0, []]);
  });

  test('INVITE, INVITE, BYE, BYE at once is a recording, too', async () => {
    INVITE('RX');
    INVITE('TX');
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([recorder.recording.streams, recorder.recording.stops]).toEqual([['rx', 'tx'], ['ended']]);
  });

  test('BYEs that overtake the start of the recording', async () => {
    const gate = Promise.withResolvers<void>();
    recorder.startGate = gate.promise;
    INVITE('RX');
    await settle();
    INVITE('TX');
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect(calls.size).toBe(0);
    gate.resolve();
    await settle();
    expect([recorder.recording.streams, recorder.recording.stops]).toEqual([['rx', 'tx'], ['ended']]);
  });

  test('BYE of one side removes its stream, and the recording ends after the grace', async () => {
    const recording = await running();
    BYE('RX');
    await pass(SETTLE_MS);
    expect(recording.streams).toEqual(['tx']);
    await pass(GRACE_MS - 1);
    expect(recording.stops).toEqual([]);
    await pass(1);
    expect([recording.stops, calls.size]).toEqual([['ended'], 0]);
  });

  test('a late BYE of the other side ends it at once', async () => {
    const recording = await running();
    BYE('TX');
    await pass(3_000);
    BYE('RX');
    await pass(SETTLE_MS);
    expect(recording.stops).toEqual(['ended']);
  });

  test('BYE without INVITE is counted', async () => {
    expect(BYE('RX')).toBeNull();
    expect([counters.byesWithoutInvite, recorder.ports]).toEqual([1, []]);
  });

  test('a BYE after the end is counted and changes nothing', async () => {
    const recording = await running();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    BYE('TX');
    expect([counters.byesWithoutInvite, recording.stops]).toEqual([1, ['ended']]);
  });

  test('the recorder ends it (inactivity): later texts find nothing, ports are free', async () => {
    const recording = await running();
    recording.end('abandoned');
    await settle();
    expect([calls.size, recorder.held, recording.stops]).toEqual([0, [], []]);
    BYE('RX');
    expect(counters.byesWithoutInvite).toBe(1);
  });

  test('a change that comes just after the recorder has ended it is no failure', async () => {
    const recording = await running();
    recording.over = true;
    BYE('RX');
    await pass(SETTLE_MS);
    recording.end('max-duration');
    await settle();
    expect([logged, calls.size]).toEqual([[], 0]);
  });

  test('close stops what runs and waits for it', async () => {
    const recording = await running();
    INVITE('RX', { callId: 'just-coming' });
    await calls.close('stopped');
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['stopped'], ['stopped']]);
    expect(recorder.recordings[0]).toBe(recording);
    expect([calls.size, recorder.held, clock.pendingTimers]).toEqual([0, [], 0]);
  });
});

describe('a port that takes its time', () => {
  test('the recording begins with the one that is bound, the other follows', async () => {
    const gate = Promise.withResolvers<void>();
    recorder.bindGates.set(18_756, gate.promise);
    INVITE('RX');
    INVITE('TX');
    await settle();
    expect(recorder.recording.streams).toEqual(['tx']);
    gate.resolve();
    await settle();
    expect([recorder.recording.streams, codes(recorder.recording)]).toEqual([['rx', 'tx'], []]);
  });

  test('is given back when the call is over before', async () => {
    const gate = Promise.withResolvers<void>();
    recorder.bindGates.set(18_756, gate.promise);
    INVITE('RX');
    BYE('RX');
    await pass(SETTLE_MS);
    expect([recorder.held, calls.size]).toEqual([[], 0]);
    gate.resolve();
    await settle();
    expect(recorder.recordings).toEqual([]);
  });
});

describe('one stream only', () => {
  const only = (recording: FakeRecording) => recording.warnings.map(({ code, message: text }) => [code, text]);

  test('RX alone: mux mode, or TX was lost', async () => {
    INVITE('RX');
    await settle();
    BYE('RX');
    await pass(SETTLE_MS);
    expect(only(recorder.recording)).toEqual([
      [
        'one-stream-only',
        'FreeSWITCH announced the RX stream only: either it mixes both parties into one (mux mode), or the INVITE of TX was lost or FreeSWITCH had no port for it.',
      ],
    ]);
    expect(recorder.recording.stops).toEqual(['ended']);
  });

  test('RX alone and BYE of TX: not mux mode', async () => {
    INVITE('RX');
    await settle();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect(only(recorder.recording)).toEqual([
      [
        'one-stream-only',
        'FreeSWITCH announced the RX stream only: the INVITE of TX was lost or FreeSWITCH had no port for it.',
      ],
    ]);
    expect(counters.byesWithoutInvite).toBe(1);
  });

  test('half recording: INVITE TX, BYE RX, BYE TX', async () => {
    INVITE('TX');
    await settle();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    const { recording } = recorder;
    expect([codes(recording), recording.streams, recording.stops]).toEqual([['one-stream-only'], ['tx'], ['ended']]);
  });

  test('the BYE of a stream that was never announced ends the call after the grace', async () => {
    INVITE('RX');
    await settle();
    BYE('TX');
    await pass(GRACE_MS);
    expect(recorder.recording.stops).toEqual(['ended']);
  });

  test('… unless its INVITE was only late', async () => {
    INVITE('RX');
    await settle();
    BYE('TX');
    INVITE('TX');
    await pass(GRACE_MS);
    expect([recorder.recording.stops, recorder.recording.streams]).toEqual([[], ['rx', 'tx']]);
  });
});

describe('stop and start again in one call', () => {
  test('is a second recording that continues the first', async () => {
    const first = await running();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS + 60_000);
    INVITE('RX', { port: 22_638 });
    INVITE('TX', { port: 24_484 });
    await settle();
    const second = recorder.recordings[1]!;
    expect([first.call.identifiers.continues, second.call.identifiers.continues]).toEqual([undefined, first.id]);
    expect([second.request.call.identifiers.sipCallId, second.streams, calls.size]).toEqual([CALL_ID, ['rx', 'tx'], 1]);
  });

  test('at once, before the first has settled', async () => {
    const first = await running();
    BYE('RX');
    BYE('TX');
    INVITE('RX', { port: 22_638 });
    INVITE('TX', { port: 24_484 });
    await pass(SETTLE_MS);
    const second = recorder.recordings[1]!;
    expect([first.stops, second.stops, second.streams]).toEqual([['ended'], [], ['rx', 'tx']]);
    expect(second.request.call.identifiers.continues).toBe(first.id);
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([first.stops, second.stops, calls.size]).toEqual([['ended'], ['ended'], 0]);
  });

  test('when one BYE of the first was lost', async () => {
    const first = await running();
    BYE('RX');
    await pass(3_000);
    INVITE('RX', { port: 22_638 });
    await settle();
    expect([first.stops, recorder.recordings[1]?.call.identifiers.continues]).toEqual([['ended'], first.id]);
  });

  test('after the recorder gave up the first; a refused one in between does not break the chain', async () => {
    const first = await running();
    first.end('abandoned');
    recorder.failStart = 'TOO_MANY_RECORDINGS';
    INVITE('RX', { port: 20_000 });
    await settle();
    recorder.failStart = null;
    INVITE('RX', { port: 22_638 });
    await settle();
    expect(recorder.recordings[1]?.call.identifiers.continues).toBe(first.id);
  });

  test('is forgotten after a day', async () => {
    await running();
    BYE('RX');
    BYE('TX');
    await pass(24 * 3_600_000 + SETTLE_MS);
    INVITE('RX');
    await settle();
    expect(recorder.recordings[1]?.call.identifiers.continues).toBeUndefined();
  });
});

describe('what the recorder refuses', () => {
  test.each(['DRAINING', 'TOO_MANY_RECORDINGS', 'STORAGE_FAILED'] as const)('%s: nothing is kept', async (code) => {
    recorder.failStart = code;
    INVITE('RX');
    INVITE('TX');
    await settle();
    expect([calls.size, recorder.held, counters.refused, clock.pendingTimers]).toEqual([0, [], 1, 0]);
    BYE('RX');
    BYE('TX');
    expect(counters.byesWithoutInvite).toBe(2);
  });

  test('a port refused for the same reason is no missing port', async () => {
    recorder.failStart = 'DRAINING';
    recorder.unavailable.set(18_756, 'DRAINING').set(21_210, 'DRAINING');
    INVITE('RX');
    await settle();
    INVITE('TX');
    await settle();
    expect([calls.size, counters.refused, recorder.recordings, clock.pendingTimers]).toEqual([0, 2, [], 0]);
  });

  test('a limit that is reached between RX and TX costs TX only', async () => {
    const gate = Promise.withResolvers<void>();
    recorder.startGate = gate.promise;
    INVITE('RX');
    await settle();
    recorder.unavailable.set(21_210, 'TOO_MANY_RECORDINGS');
    INVITE('TX');
    await settle();
    gate.resolve();
    await settle();
    expect([recorder.recording.streams, codes(recorder.recording)]).toEqual([['rx'], ['port-unavailable']]);
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect(recorder.recording.stops).toEqual(['ended']);
  });

  test('a thousand refusals are one log line', async () => {
    recorder.failStart = 'TOO_MANY_RECORDINGS';
    for (let n = 0; n < 1_000; n++) INVITE('RX', { callId: `call-${n}` });
    await settle();
    expect([counters.refused, logged]).toEqual([1_000, ['a mod_oreka call is not recorded']]);
  });

  test('an unexpected failure is no crash', async () => {
    recorder.failStart = new TypeError('a bug');
    INVITE('RX');
    await settle();
    expect([calls.size, counters.refused, recorder.held]).toEqual([0, 1, []]);
  });
});

describe('a port that cannot be had', () => {
  const warning = (side: string, port: number) => ({
    code: 'port-unavailable',
    message: `The ${side} stream is missing: FreeSWITCH sent it to 127.0.0.1:${port}, which could not be opened here. The port that the client chose for its media cannot be had. port ${port}`,
  });

  test('of RX: the recording begins with TX', async () => {
    recorder.unavailable.set(18_756, 'PORT_UNAVAILABLE');
    INVITE('RX');
    INVITE('TX');
    await settle();
    const { recording } = recorder;
    expect([recording.streams, recording.warnings]).toEqual([['tx'], [warning('RX', 18_756)]]);
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([recording.stops, counters.portsUnavailable, codes(recording)]).toEqual([
      ['ended'],
      1,
      ['port-unavailable'],
    ]);
  });

  test('of RX, and TX comes later', async () => {
    recorder.unavailable.set(18_756, 'PORT_UNAVAILABLE');
    INVITE('RX');
    await pass(5_000);
    expect([recorder.recordings, calls.size]).toEqual([[], 1]);
    INVITE('TX');
    await pass(GRACE_MS);
    expect([recorder.recording.streams, codes(recorder.recording)]).toEqual([['tx'], ['port-unavailable']]);
  });

  test('of TX: the recording goes on with RX', async () => {
    recorder.unavailable.set(21_210, 'PORT_UNAVAILABLE');
    INVITE('RX');
    await settle();
    INVITE('TX');
    await settle();
    const { recording } = recorder;
    expect([recording.streams, recording.warnings]).toEqual([['rx'], [warning('TX', 21_210)]]);
  });

  test('of both: nothing is recorded, nothing is kept', async () => {
    recorder.unavailable.set(18_756, 'PORT_UNAVAILABLE').set(21_210, 'PORT_UNAVAILABLE');
    INVITE('RX');
    INVITE('TX');
    await pass(GRACE_MS);
    expect([recorder.recordings, calls.size, recorder.held, clock.pendingTimers]).toEqual([[], 0, [], 0]);
  });

  test('of RX, and of TX some time later', async () => {
    recorder.unavailable.set(18_756, 'PORT_UNAVAILABLE').set(21_210, 'PORT_UNAVAILABLE');
    INVITE('RX');
    await pass(5_000);
    INVITE('TX');
    await pass(GRACE_MS - 1);
    expect(calls.size).toBe(1);
    await pass(1);
    expect([calls.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  test('of both, and BYE comes', async () => {
    recorder.unavailable.set(18_756, 'PORT_UNAVAILABLE').set(21_210, 'PORT_UNAVAILABLE');
    INVITE('RX');
    INVITE('TX');
    await settle();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([recorder.recordings, calls.size]).toEqual([[], 0]);
  });

  test('although it was bound (the capture core lost it)', async () => {
    INVITE('RX');
    await settle();
    recorder.recording.failUpdate = 'PORT_UNAVAILABLE';
    INVITE('TX');
    await settle();
    expect([recorder.recording.streams, codes(recorder.recording)]).toEqual([['rx'], ['port-unavailable']]);
  });
});

describe('captured calls', () => {
  const texts = (call: string, ...names: string[]) => names.map((name) => captured(`${call}/sip-${name}`));

  test('api-start-stop', async () => {
    const [rx1, tx1, byeRx1, byeTx1, rx2, tx2, byeRx2, byeTx2] = texts(
      'api-start-stop',
      ...['001-INVITE-RX', '002-INVITE-TX', '003-BYE-RX', '004-BYE-TX'],
      ...['005-INVITE-RX', '006-INVITE-TX', '007-BYE-RX', '008-BYE-TX'],
    );
    for (const parts of [
      [rx1, tx1],
      [byeRx1, byeTx1],
      [rx2, tx2],
      [byeRx2, byeTx2],
    ]) {
      for (const datagram of parts) receive(datagram!);
      await pass(2_000);
    }
    const [first, second] = recorder.recordings;
    expect([first?.stops, second?.stops, calls.size]).toEqual([['ended'], ['ended'], 0]);
    expect(second?.request.call.identifiers).toEqual({
      sipCallId: '7b0cc546-5298-4886-aabc-78199ff02f34',
      communicationSessionId: null,
      sipSessionIds: [],
      groupId: null,
      continues: first?.id,
      vendor: { 'freeswitch-address': '127.0.0.40', 'freeswitch-pid': '29945' },
    });
    expect(recorder.ports.map(({ address }) => address.port)).toEqual([26_980, 28_236, 22_638, 24_484]);
  });

  test('two-calls: each with its own streams', async () => {
    const files = ['001-INVITE-RX', '002-INVITE-TX', '003-INVITE-RX', '004-INVITE-TX', '005-BYE-RX', '006-BYE-TX'];
    for (const datagram of texts('two-calls', ...files)) receive(datagram);
    await pass(SETTLE_MS);
    const summary = recorder.recordings.map(({ request, streams, stops }) => [
      request.call.identifiers.sipCallId,
      request.streams.map((stream) => stream.announced?.address.port),
      streams,
      stops,
    ]);
    expect(summary).toEqual([
      ['f232b9f7-5531-472e-848f-f55b7ac5bfc3', [16_610, 26_626], ['rx', 'tx'], ['ended']],
      ['d71135b7-3104-4845-a075-7a09af8f076e', [25_220, 30_932], ['rx', 'tx'], []],
    ]);
  });

  test('mux', async () => {
    for (const datagram of texts('mux', '001-INVITE-RX', '002-BYE-RX')) {
      receive(datagram);
      await pass(SETTLE_MS);
    }
    expect([recorder.recording.streams, codes(recorder.recording)]).toEqual([['rx'], ['one-stream-only']]);
  });
});

describe('after a restart', () => {
  /** Only what the recorder keeps is left of the call that runs, one with both streams if there is none. */
  async function restarted(): Promise<{ recording: FakeRecording; ended: () => void }> {
    const recording = recorder.recordings.length > 0 ? recorder.recording : await running();
    const door = JSON.parse(JSON.stringify(recording.request.brought?.door));
    setUp();
    return { recording, ended: calls.restore(recording, door) };
  }

  test('both BYEs end the recording, and are in its journal', async () => {
    const { recording } = await restarted();
    BYE('RX');
    BYE('TX');
    await pass(SETTLE_MS);
    expect([recording.stops, calls.size, counters.byesWithoutInvite]).toEqual([['ended'], 0, 0]);
    expect(recording.journalLines).toEqual(['< BEGIN RX', '< BEGIN TX', '< END RX', '< END TX']);
  });

  test('one BYE, after the grace', async () => {
    const { recording } = await restarted();
    BYE('TX');
    await pass(GRACE_MS - 1);
    expect(recording.stops).toEqual([]);
    await pass(1);
    expect(recording.stops).toEqual(['ended']);
  });

  test('started again, its stop unheard: a second recording that continues the first', async () => {
    const { recording } = await restarted();
    INVITE('RX');
    await settle();
    expect(recording.stops).toEqual(['ended']);
    expect(recorder.recordings).toHaveLength(1);
    expect(recorder.recording.request.call.identifiers.continues).toBe(recording.id);
  });

  test('the other side is announced only now: recorded beside it, and each BYE finds its own', async () => {
    INVITE('RX');
    await settle();
    const { recording } = await restarted();
    INVITE('TX');
    await settle();
    const beside = recorder.recording;
    BYE('RX');
    BYE('TX');
    expect([recording.stops, beside.stops]).toEqual([[], []]);
    await pass(SETTLE_MS);
    expect([recording.stops, beside.stops, calls.size]).toEqual([['ended'], ['ended'], 0]);
  });

  test('the recorder ends it: later texts find nothing', async () => {
    const { recording, ended } = await restarted();
    ended();
    BYE('RX');
    await pass(GRACE_MS);
    expect([recording.stops, calls.size, counters.byesWithoutInvite]).toEqual([[], 0, 1]);
  });

  test('close stops what runs', async () => {
    const { recording } = await restarted();
    await calls.close('stopped');
    expect(recording.stops).toEqual(['stopped']);
  });
});
