// The door under any sequence of requests, in any order, sensible or not: nothing throws, every request is answered once,
// and when all clients are gone nothing is left open.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { createSiprecDoor } from '../../src/siprec/door.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { CONTENT_TYPE, multipart } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { settle } from './fake-request.ts';
import { FakeSrf, type FakeSrfRequest, type FakeSrfResponse, sipMessage } from './fake-srf.ts';
import { metadata, offer } from './texts.ts';

const NOTHING = { sdp: null, xml: null };
const CS = ['hVpd7YQgRW2nD22h7q60JQ==', 'zdxqOWdrRRWpr5VCRB1qcA=='];

const sdp = fc.oneof(
  fc.subarray(['0', '1', '2', 'a b', '']).map((labels) => offer(...labels)),
  fc.subarray(['0', '1', '2']).map((labels) => offer(...labels).replaceAll('sendonly', 'inactive')),
  fc.constantFrom('', 'v=0\r\n', 'garbage', offer('0').replace('audio', 'video'), offer('0').replace('35000', '0')),
);
const xml = fc.oneof(
  fc
    .record({ session: fc.constantFrom(...CS), both: fc.boolean(), ended: fc.subarray(CS), partial: fc.boolean() })
    .map(({ session, both, ended, partial }) =>
      metadata({
        sessionId: session,
        furtherSessions: both ? CS.filter((id) => id !== session) : [],
        ended,
        dataMode: partial ? 'partial' : 'complete',
        parties: [
          { id: 'alice', sends: ['0'], sessionId: session },
          { id: 'bob', sends: ['1', '2'], sessionId: both ? CS[1]! : session },
        ],
      }),
    ),
  fc.constantFrom('<<<', '', '<recording/>', '<recording><datamode>partial</datamode></recording>'),
);
const body = fc.record({ sdp: fc.option(sdp), xml: fc.option(xml) });
const dialog = fc.integer({ min: 0, max: 3 });

type Step =
  | { do: 'invite'; dialog: number; body: { sdp: string | null; xml: string | null } }
  | { do: 'request'; method: string; dialog: number; body: { sdp: string | null; xml: string | null } }
  | { do: 'cancel' | 'server gives up' | 'restart'; dialog: number }
  | { do: 'wait'; ms: number }
  | { do: 'recorder ends'; which: number }
  | { do: 'recorder fails'; how: 'start' | 'update' }
  | { do: 'recorder refuses'; why: 'TOO_MANY_RECORDINGS' | 'DRAINING' | null };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('invite' as const), dialog, body }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      method: fc.constantFrom('ACK', 'INVITE', 'UPDATE', 'BYE', 'INFO', 'OPTIONS', 'REFER', 'PRACK', 'MESSAGE'),
      dialog,
      body,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'server gives up' as const), dialog }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 5, 10, 6_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recorder ends' as const), which: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('recorder fails' as const),
      how: fc.constantFrom('start' as const, 'update' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('recorder refuses' as const),
      why: fc.constantFrom('TOO_MANY_RECORDINGS' as const, 'DRAINING' as const, null),
    }),
  },
);

interface Invite {
  dialog: number;
  request: FakeSrfRequest;
  response: FakeSrfResponse;
  cancelled: boolean;
}

class World {
  readonly clock = new ManualClock();
  readonly recorder = new FakeRecorder();
  readonly srf = new FakeSrf();
  readonly errors: unknown[] = [];
  readonly door = createSiprecDoor({
    srf: this.srf,
    recorder: this.recorder,
    clock: this.clock,
    log: { ...silentLog, error: (...told: unknown[]) => this.errors.push(told), child: () => this.#log() } as never,
    mediaAddress: '192.0.2.10',
  });
  readonly sent: { method: string; request: FakeSrfRequest; response: FakeSrfResponse; takesAnswer: boolean }[] = [];
  readonly everInvited: Invite[] = [];
  /** The latest of each client. */
  readonly invites = new Map<number, Invite>();

  constructor() {
    this.door.start();
  }

  #log(): never {
    return { ...silentLog, error: (...told: unknown[]) => this.errors.push(told), child: () => this.#log() } as never;
  }

  async take(next: Step): Promise<void> {
    switch (next.do) {
      case 'invite': {
        const { request, response } = this.#send('INVITE', next.dialog, next.body, '');
        const invite = { dialog: next.dialog, request, response, cancelled: false };
        this.everInvited.push(invite);
        this.invites.set(next.dialog, invite);
        break;
      }
      case 'request': {
        const id = this.invites.get(next.dialog)?.response.stackDialogId;
        if (id !== undefined) this.#send(next.method, next.dialog, next.body, id);
        break;
      }
      case 'server gives up': {
        const id = this.invites.get(next.dialog)?.response.stackDialogId;
        if (id !== undefined) this.#send('BYE', next.dialog, NOTHING, id, 'Reason: SIP;cause=200;text="ACK timeout"');
        break;
      }
      case 'cancel': {
        const invite = this.invites.get(next.dialog);
        if (!invite || invite.response.sent.length > 0) break;
        invite.cancelled = true;
        invite.response.mode = 'Response not sent due to unknown transaction';
        invite.request.emit('cancel', { get: (name: string) => invite.request.get(name) });
        break;
      }
      case 'wait':
        this.clock.advance(next.ms);
        break;
      case 'recorder ends':
        this.#endRecording(next.which);
        break;
      case 'recorder fails':
        if (next.how === 'start') this.recorder.failStart = this.recorder.failStart ? null : 'NO_PORTS';
        else for (const recording of this.recorder.recordings) recording.failUpdate = 'NO_PORTS';
        break;
      case 'recorder refuses':
        this.recorder.refusing = next.why;
        break;
      default:
        break;
    }
    // Not always to the end: the next request may come in the middle of the work.
    await Promise.resolve();
  }

  /** All clients go, and time passes. */
  async end(): Promise<void> {
    await settle();
    this.clock.advance(10);
    await settle();
    for (const { dialog: client, response } of this.everInvited) {
      if (response.stackDialogId !== undefined) this.#send('BYE', client, NOTHING, response.stackDialogId);
      await settle();
    }
    for (const { callback } of this.srf.outgoing.splice(0)) callback('unable to find dialog');
    await settle();
    this.clock.advance(60_000);
    await settle();
  }

  #endRecording(which: number): void {
    const recording = this.recorder.recordings[which];
    if (!recording || recording.stops.length > 0) return;
    recording.stops.push('max-duration');
    recording.request.onEnded('max-duration');
  }

  #send(
    method: string,
    dialogNumber: number,
    { sdp: sdpText, xml: xmlText }: { sdp: string | null; xml: string | null },
    stackDialogId: string,
    ...more: string[]
  ) {
    const hasBody = sdpText !== null || xmlText !== null;
    const lines = [
      `Call-ID: rs-${dialogNumber}`,
      `From: <sip:src@192.0.2.1>;tag=a${stackDialogId === '' && method === 'INVITE' ? this.sent.length : ''}`,
      ...(stackDialogId === '' ? [] : ['To: <sip:recorder@srs.example>;tag=t']),
      ...(hasBody ? [`Content-Type: ${CONTENT_TYPE}`] : []),
      'Require: siprec',
      ...more,
    ];
    const fromServer = more.length > 0;
    const { request, response } = this.srf.receive(
      sipMessage(method, lines, hasBody ? multipart(sdpText, xmlText) : ''),
      { stackDialogId, source: fromServer ? 'application' : 'network' },
    );
    this.sent.push({ method, request, response, takesAnswer: method !== 'ACK' && !fromServer });
    return { request, response };
  }
}

test('any sequence of requests', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const world = new World();
      for (const next of steps) await world.take(next);
      await world.end();
      expect(world.errors).toEqual([]);
      for (const { method, request, response, takesAnswer } of world.sent) {
        const cancelled = world.everInvited.some((invite) => invite.request === request && invite.cancelled);
        const answers = response.sent.length;
        if (cancelled) expect(answers).toBeLessThanOrEqual(1);
        else expect([method, answers]).toEqual([method, takesAnswer ? 1 : 0]);
      }
      expect(world.door.sessions).toBe(0);
      expect(world.recorder.recordings.filter(({ stops }) => stops.length === 0)).toEqual([]);
      expect(world.clock.pendingTimers).toBe(0);
    }),
    { numRuns: 300 },
  );
}, 60_000);
