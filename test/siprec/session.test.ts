import { beforeEach, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Recordings } from '../../src/siprec/recordings.ts';
import { RecordingSession } from '../../src/siprec/session.ts';
import type { SessionEnvironment } from '../../src/siprec/session-environment.ts';
import { originOf } from '../../src/siprec/session-origin.ts';
import type { InDialogResult } from '../../src/siprec/srf.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { METADATA, multipart, SDP, withDirection } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { type FakeMessage, type FakeRequest, fakeInDialog, fakeInvite, settle } from './fake-request.ts';

let clock: ManualClock;
let recorder: FakeRecorder;
let dialogs: string[];
let ended: number;
let byes: { dialogId: string; headers: Record<string, string>; answer: (result: Partial<InDialogResult>) => void }[];
let environment: SessionEnvironment;

beforeEach(() => {
  clock = new ManualClock();
  recorder = new FakeRecorder();
  dialogs = [];
  ended = 0;
  byes = [];
  environment = {
    recordings: new Recordings({ recorder, clock }),
    clock,
    log: silentLog,
    answerDelayMs: 10,
    acceptPlainCalls: false,
    product: 'sipreel/test',
    mediaAddress: async () => '192.0.2.10',
    dialogState: () => null,
    requestInDialog: ({ dialogId, headers }) => {
      const { promise, resolve } = Promise.withResolvers<InDialogResult>();
      const answer = (result: Partial<InDialogResult>) =>
        resolve({ sentRaw: 'BYE sip:x SIP/2.0\r\n\r\n', receivedRaw: null, status: 200, error: null, ...result });
      byes.push({ dialogId, headers, answer });
      return promise;
    },
    onDialog: (dialogId) => dialogs.push(dialogId),
    onEnded: () => ended++,
  };
});

/** INVITE up to just before the answer delay runs out. */
async function begin(message: Partial<FakeMessage> = {}) {
  const invite = fakeInvite(clock, message);
  const session = new RecordingSession(originOf(invite), environment);
  void session.start(invite);
  await settle();
  return { invite, session };
}

/** INVITE, 200. */
async function answered(message: Partial<FakeMessage> = {}) {
  const begun = await begin(message);
  clock.advance(10);
  await settle();
  return begun;
}

/** INVITE, 200, ACK. */
async function established(message: Partial<FakeMessage> = {}) {
  const begun = await answered(message);
  begun.session.handle(fakeInDialog(clock, 'ACK'));
  return begun;
}

async function send(session: RecordingSession, method: string, message: Partial<FakeMessage> = {}) {
  const request = fakeInDialog(clock, method, message);
  session.handle(request);
  await settle();
  return request;
}

const sdpOf = (request: FakeRequest) =>
  (request.responses[0]?.body ?? '').split('\r\n').filter((line) => /^(m=|a=(label|recvonly|inactive))/.test(line));

describe('INVITE', () => {
  test('is answered with everything that an answer needs, not before the answer delay', async () => {
    const { invite, session } = await begin();
    expect(recorder.recording.request.streams.map(({ key, label, sending }) => [key, label, sending])).toEqual([
      ['0', '0', true],
      ['1', '1', true],
    ]);
    clock.advance(9.9);
    await settle();
    expect([invite.responses, session.phase]).toEqual([[], 'starting']);
    clock.advance(0.1);
    await settle();
    expect(session.phase).toBe('answered');
    expect(dialogs).toEqual(['rs-1;from-tag=src-tag']);
    const [{ body, ...response } = { body: '' }] = invite.responses;
    expect(response).toEqual({
      status: 200,
      reason: 'OK',
      headers: {
        Contact: '<sip:sipreel@localhost>;+sip.srs',
        Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY',
        Supported: 'siprec, timer',
        Accept: 'application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed',
        'Content-Type': 'application/sdp',
        Server: 'sipreel/test',
      },
    });
    expect(sdpOf(invite)).toEqual([
      'm=audio 40000 RTP/AVP 0 101',
      'a=recvonly',
      'a=label:0',
      'm=audio 40002 RTP/AVP 8',
      'a=recvonly',
      'a=label:1',
    ]);
    expect(body).toContain('c=IN IP4 192.0.2.10\r\n');
    session.handle(fakeInDialog(clock, 'ACK'));
    expect(session.phase).toBe('established');
  });

  test('tells the recorder what it understood', async () => {
    await begin({ headers: { 'X-Tenant': 'acme' } });
    const { onEnded: _, onUnwantedChanged: __, brought, call, metadata, ...request } = recorder.recording.request;
    expect(request).toEqual({
      source: 'siprec',
      peer: 'udp:192.0.2.1:5060',
      warnings: [],
      streams: request.streams,
    });
    expect(metadata).toEqual({ receivedMs: clock.nowMs(), contentType: 'application/rs-metadata+xml', text: METADATA });
    expect(call.participants.map(({ name, sends }) => [name, sends])).toEqual([
      ['Alice', ['0']],
      ['Bob', ['1']],
    ]);
    expect(call.extraHeaders).toEqual([{ name: 'X-Tenant', value: 'acme' }]);
    // On the disk before the answer leaves: a process that dies then knows whose recording it is.
    expect(brought).toMatchObject({
      sessions: [{ sipCallId: 'rs-1', endMs: null }],
      door: { kind: 'siprec', sessions: [{ key: 'rs-1;from-tag=src-tag', session: null }] },
    });
  });

  test('a slow start is not delayed further', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.startGate = promise;
    const { invite } = await begin();
    clock.advance(300);
    resolve();
    await settle();
    expect(invite.status).toBe(200);
  });

  test('metadata never decides: unreadable, missing, malformed', async () => {
    for (const metadata of ['<<<', METADATA.replace('Bob', 'Bob & <Sons>'), null]) {
      const { invite } = await answered({ body: multipart(SDP, metadata), callId: `rs-${recorder.recordings.length}` });
      expect(invite.status).toBe(200);
    }
    expect(recorder.recordings.map(({ request }) => request.warnings.map((warning) => warning.code))).toEqual([
      ['metadata-malformed', 'metadata-empty'],
      ['metadata-malformed'],
      ['metadata-missing'],
    ]);
    expect(recorder.recordings[0]?.request.metadata?.text).toBe('<<<');
  });

  test('30 m-lines and 200 KiB of metadata', async () => {
    const lines = Array.from(
      { length: 30 },
      (_, i) => `m=audio ${4000 + i} RTP/AVP 0\r\na=sendonly\r\na=label:${i}\r\n`,
    );
    const metadata = METADATA.replace('</session>', `<x>${'y'.repeat(200 * 1024)}</x></session>`);
    const { invite } = await answered({ body: multipart(`v=0\r\n${lines.join('')}`, metadata) });
    expect(sdpOf(invite).filter((line) => line.startsWith('m='))).toHaveLength(30);
    expect(recorder.recording.request.metadata?.text).toBe(metadata);
  });

  test.each([
    ['no body', { body: '' }, 'Not a recording session: no SDP, no metadata and no siprec mark.'],
    ['an empty SDP part', { body: multipart('') }, 'The SDP part is empty.'],
    ['video only', { body: multipart(SDP.replaceAll('m=audio', 'm=video')) }, 'There is no audio stream.'],
    ['all ports 0', { body: multipart(SDP.replace(/audio \d+/g, 'audio 0')) }, 'Every audio stream has port 0.'],
    [
      'DTLS-SRTP only',
      { body: multipart(SDP.replaceAll('RTP/AVP', 'UDP/TLS/RTP/SAVP')) },
      'DTLS-SRTP is not supported: offer RTP/SAVP with a=crypto, or RTP/AVP.',
    ],
  ])('%s: 488 after the delay, nothing recorded', async (_name, message, why) => {
    const { invite, session } = await begin(message);
    expect(invite.responses).toEqual([]);
    clock.advance(10);
    await settle();
    expect(invite.responses).toEqual([
      {
        status: 488,
        reason: 'Not Acceptable Here',
        headers: { Warning: `399 sipreel "${why}"`, Server: 'sipreel/test' },
      },
    ]);
    expect([recorder.recordings.length, session.phase, ended]).toEqual([0, 'ended', 1]);
  });

  test.each<[ErrorCode, number, string | undefined]>([
    ['NO_PORTS', 503, '10'],
    ['TOO_MANY_RECORDINGS', 503, '10'],
    ['DRAINING', 503, '30'],
    ['STORAGE_FAILED', 503, '60'],
    ['CAPTURE_FAILED', 503, '10'],
    ['CONFIG_INVALID', 500, undefined],
  ])('%s is answered %d', async (code, status, retryAfter) => {
    recorder.failStart = code;
    const { invite } = await answered();
    expect([invite.status, invite.responses[0]?.headers['Retry-After'], ended]).toEqual([status, retryAfter, 1]);
  });

  test('any other failure is answered 500', async () => {
    recorder.failStart = new TypeError('a mistake');
    expect((await answered()).invite.status).toBe(500);
    environment.mediaAddress = () => Promise.reject(new Error('no route'));
    expect((await answered()).invite.status).toBe(500);
    expect(ended).toBe(2);
  });

  test('an answer that cannot be sent discards the recording', async () => {
    const { invite, session } = await begin();
    invite.outcome = { ok: false, error: 'Response not sent due to unknown transaction' };
    clock.advance(10);
    await settle();
    expect([recorder.recording.stops, session.phase, dialogs, ended]).toEqual([['cancelled'], 'ended', [], 1]);
  });
});

describe('CANCEL', () => {
  test('during the start', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.startGate = promise;
    const { invite, session } = await begin();
    invite.cancel();
    resolve();
    clock.advance(10);
    await settle();
    expect([invite.responses, recorder.recording.stops, session.phase, ended]).toEqual([[], ['cancelled'], 'ended', 1]);
  });

  test('during the answer delay', async () => {
    const { invite, session } = await begin();
    invite.cancel();
    clock.advance(10);
    await settle();
    expect([invite.responses, recorder.recording.stops, session.phase, ended]).toEqual([[], ['cancelled'], 'ended', 1]);
  });

  test('racing a failed start: no second answer', async () => {
    recorder.failStart = 'NO_PORTS';
    const { invite } = await begin();
    invite.cancel();
    clock.advance(10);
    await settle();
    expect([invite.responses, ended]).toEqual([[], 1]);
  });

  test('racing the 200: the SIP server decides', async () => {
    const { invite, session } = await begin();
    invite.outcome = 'hold';
    clock.advance(10);
    await settle();
    invite.cancel();
    invite.release({ ok: false, error: 'Response not sent due to unknown transaction' });
    expect([recorder.recording.stops, session.phase]).toEqual([['cancelled'], 'ended']);
  });

  test('after the 200 it means nothing', async () => {
    const { invite, session } = await established();
    invite.cancel();
    expect([recorder.recording.stops, session.phase]).toEqual([[], 'established']);
  });
});

describe('the end', () => {
  test('BYE', async () => {
    const { session } = await established();
    const bye = await send(session, 'BYE');
    expect(bye.responses).toEqual([{ status: 200, reason: 'OK', headers: { Server: 'sipreel/test' } }]);
    expect([recorder.recording.stops, session.phase, ended, byes.length]).toEqual([['ended'], 'ended', 1, 0]);
  });

  test('BYE before ACK', async () => {
    const { session } = await answered();
    expect((await send(session, 'BYE')).status).toBe(200);
    expect([recorder.recording.stops, session.phase]).toEqual([['ended'], 'ended']);
    await send(session, 'ACK');
    expect(session.phase).toBe('ended');
  });

  test('no ACK: the SIP server gives up with a BYE of its own', async () => {
    const { session } = await answered();
    const bye = fakeInDialog(clock, 'BYE', {
      fromServer: true,
      headers: { Reason: 'SIP;cause=200;text="ACK timeout"' },
    });
    session.handle(bye);
    expect([recorder.recording.stops, session.phase]).toEqual([[], 'ended']);
    clock.advance(5_000);
    expect([recorder.recording.stops, session.phase, ended]).toEqual([['cancelled'], 'ended', 1]);
  });

  test('the recorder ends the recording: BYE to the client, whatever it answers', async () => {
    for (const status of [200, 405, 408, 481]) {
      const { session } = await established({ callId: `rs-${status}` });
      recorder.recordings.at(-1)?.request.onEnded('abandoned');
      expect(session.phase).toBe('ending');
      expect(byes.at(-1)?.dialogId).toBe(`rs-${status};from-tag=src-tag`);
      expect(byes.at(-1)?.headers.Reason).toBe('SIP;cause=200;text="recording abandoned"');
      byes.at(-1)?.answer({ status });
      await settle();
      expect(session.phase).toBe('ended');
    }
    expect(ended).toBe(4);
  });

  test('a BYE that could not be sent ends the session too', async () => {
    const { session } = await established();
    recorder.recording.request.onEnded('max-duration');
    byes[0]?.answer({ sentRaw: null, status: 0, error: 'unable to find dialog' });
    await settle();
    expect([session.phase, ended]).toEqual(['ended', 1]);
  });

  test('the recorder ends the recording before the ACK: the BYE waits for it', async () => {
    const { session } = await answered();
    recorder.recording.request.onEnded('stopped');
    expect(byes).toEqual([]);
    session.handle(fakeInDialog(clock, 'ACK'));
    expect(byes).toHaveLength(1);
  });

  test('the recorder ends the recording before the answer: 481, no dialog', async () => {
    const { invite, session } = await begin();
    recorder.recording.request.onEnded('failed');
    clock.advance(10);
    await settle();
    expect([invite.status, session.phase, dialogs]).toEqual([481, 'ended', []]);
  });

  test('BYEs cross: both are answered, the session ends once', async () => {
    const { session } = await established();
    recorder.recording.request.onEnded('stopped');
    expect((await send(session, 'BYE')).status).toBe(200);
    byes[0]?.answer({ status: 481 });
    await settle();
    expect([session.phase, ended, byes.length]).toEqual(['ended', 1, 1]);
  });

  test('close', async () => {
    const { session } = await established();
    const closing = session.close('stopped');
    expect([recorder.recording.stops, session.phase]).toEqual([['stopped'], 'ending']);
    byes[0]?.answer({});
    await closing;
    expect(session.phase).toBe('ended');
  });

  test('close during the start refuses the INVITE', async () => {
    const { invite, session } = await begin();
    const closing = session.close('stopped');
    clock.advance(10);
    await closing;
    expect([invite.status, recorder.recording.stops]).toEqual([503, ['stopped']]);
  });

  test('requests after the end get 481', async () => {
    const { session } = await established();
    recorder.recording.request.onEnded('stopped');
    for (const method of ['INVITE', 'UPDATE', 'INFO', 'OPTIONS'])
      expect((await send(session, method)).status).toBe(481);
  });
});

describe('re-INVITE', () => {
  const hold = SDP.replace('a=sendonly\r\na=label:1', 'a=inactive\r\na=label:1');

  test('hold and resume, with the same metadata each time: ports stay, metadata is told once', async () => {
    const { session } = await established();
    const held = await send(session, 'INVITE', { body: multipart(hold) });
    expect(sdpOf(held)).toEqual([
      'm=audio 40000 RTP/AVP 0 101',
      'a=recvonly',
      'a=label:0',
      'm=audio 40002 RTP/AVP 8',
      'a=inactive',
      'a=label:1',
    ]);
    const resumed = await send(session, 'INVITE', { body: multipart() });
    expect(sdpOf(resumed)[4]).toBe('a=recvonly');
    const { updates } = recorder.recording;
    expect(updates.map(({ streams }) => streams?.map(({ sending }) => sending))).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(updates.map(({ metadata }) => metadata)).toEqual([undefined, undefined]);
    const origins = [held, resumed].map((request) => /^o=.*$/m.exec(request.responses[0]?.body ?? '')?.[0]);
    expect(origins.map((origin) => origin?.split(' ')[2])).toEqual(['2', '3']);
  });

  test.each([
    ['SDP only', { body: hold, contentType: 'application/sdp' }],
    ['SDP and metadata', { body: multipart(hold) }],
    ['SDP without a type', { body: hold, contentType: 'text/plain' }],
  ])('%s', async (_name, message) => {
    const { session } = await established();
    const request = await send(session, 'INVITE', message);
    expect([request.status, sdpOf(request)[4]]).toEqual([200, 'a=inactive']);
    expect(request.responses[0]?.headers.Contact).toBe('<sip:sipreel@localhost>;+sip.srs');
  });

  test('without body: our SDP is the offer, and the ACK brings the answer', async () => {
    const { invite, session } = await established();
    const request = await send(session, 'INVITE');
    expect([request.status, request.responses[0]?.body]).toEqual([200, invite.responses[0]?.body]);
    expect(recorder.recording.updates).toEqual([]);
    await send(session, 'ACK', { body: withDirection('inactive'), contentType: 'application/sdp' });
    expect(recorder.recording.updates.map(({ streams }) => streams?.map(({ sending }) => sending))).toEqual([
      [false, false],
    ]);
  });

  test('metadata only', async () => {
    const { invite, session } = await established();
    const text = METADATA.replace('Bob', 'Robert');
    const request = await send(session, 'INVITE', { body: text, contentType: 'application/rs-metadata+xml' });
    expect([request.status, request.responses[0]?.body]).toEqual([200, invite.responses[0]?.body]);
    const [update] = recorder.recording.updates;
    expect(update?.streams).toBe(undefined);
    expect(update?.metadata?.text).toBe(text);
    expect(update?.call?.participants.map(({ name, sends }) => [name, sends])).toEqual([
      ['Alice', ['0']],
      ['Robert', ['1']],
    ]);
  });

  test('an SDP that cannot be read changes nothing and is answered with ours', async () => {
    const { invite, session } = await established();
    for (const sdp of ['', 'garbage', 'v=0\r\n']) {
      const request = await send(session, 'INVITE', { body: multipart(sdp) });
      expect([request.status, request.responses[0]?.body]).toEqual([200, invite.responses[0]?.body]);
    }
    expect(recorder.recording.updates.every((update) => update.streams === undefined)).toBe(true);
  });

  test('a stream is added in front, and no port is left for it', async () => {
    const { session } = await established();
    recorder.recording.failUpdate = 'NO_PORTS';
    const added = SDP.replace('m=audio 35001', 'm=audio 35003 RTP/AVP 0\r\na=sendonly\r\na=label:2\r\nm=audio 35001');
    const request = await send(session, 'INVITE', { body: multipart(added) });
    expect(sdpOf(request)).toEqual([
      'm=audio 0 RTP/AVP 0',
      'a=label:2',
      'm=audio 40000 RTP/AVP 0 101',
      'a=recvonly',
      'a=label:0',
      'm=audio 40002 RTP/AVP 8',
      'a=recvonly',
      'a=label:1',
    ]);
    expect(recorder.recording.updates.at(-1)?.warnings?.map((warning) => warning.code)).toEqual(['change-incomplete']);
    const retried = await send(session, 'INVITE', { body: multipart(added) });
    expect(sdpOf(retried)[0]).toBe('m=audio 40004 RTP/AVP 0');
  });

  test('a stream is removed', async () => {
    const { session } = await established();
    const one = SDP.slice(0, SDP.indexOf('m=audio 35002'));
    expect(sdpOf(await send(session, 'INVITE', { body: multipart(one) }))).toEqual([
      'm=audio 40000 RTP/AVP 0 101',
      'a=recvonly',
      'a=label:0',
    ]);
    expect(recorder.recording.updates[0]?.streams?.map(({ key }) => key)).toEqual(['0']);
  });

  test('partial metadata is merged onto what is known', async () => {
    const { session } = await established();
    const partial =
      '<recording><datamode>partial</datamode><participant participant_id="p3"><nameID aor="sip:carol@example.com"/></participant></recording>';
    await send(session, 'UPDATE', { body: partial, contentType: 'application/rs-metadata+xml' });
    expect(recorder.recording.updates[0]?.call?.participants.map(({ participantId }) => participantId)).toEqual([
      'p1',
      'p2',
      'p3',
    ]);
  });

  test('the recording is over', async () => {
    const { session } = await established();
    recorder.recording.failUpdate = 'RECORDING_ENDED';
    expect((await send(session, 'INVITE', { body: multipart(hold) })).status).toBe(481);
  });

  test('changes are applied one after the other, and BYE waits for none', async () => {
    const { session } = await established();
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.recording.updateGate = promise;
    const first = await send(session, 'INVITE', { body: multipart(hold) });
    const second = await send(session, 'INVITE', { body: multipart() });
    first.updateWith(fakeInDialog(clock, 'UPDATE'));
    expect([first.status, second.status]).toEqual([null, null]);
    const bye = await send(session, 'BYE');
    expect([bye.status, recorder.recording.stops]).toEqual([200, ['ended']]);
    resolve();
    await settle();
    expect([first.status, second.status]).toEqual([481, 481]);
  });

  test('an UPDATE that crosses a re-INVITE is answered behind it', async () => {
    const { session } = await established();
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.recording.updateGate = promise;
    const invite = await send(session, 'INVITE', { body: multipart(hold) });
    const update = fakeInDialog(clock, 'UPDATE');
    invite.updateWith(update);
    await settle();
    expect([invite.status, update.status]).toEqual([null, null]);
    resolve();
    await settle();
    expect([invite.status, update.status]).toEqual([200, 200]);
  });
});

describe('other requests inside the dialog', () => {
  test('UPDATE: with SDP, with metadata, without body', async () => {
    const { session } = await established();
    const withSdp = await send(session, 'UPDATE', { body: withDirection('inactive'), contentType: 'application/sdp' });
    expect(sdpOf(withSdp)[1]).toBe('a=inactive');
    const withMetadata = await send(session, 'UPDATE', {
      body: METADATA.replace('Bob', 'Rob'),
      contentType: 'application/rs-metadata+xml',
    });
    expect([withMetadata.status, withMetadata.responses[0]?.body]).toEqual([200, undefined]);
    const empty = await send(session, 'UPDATE');
    expect([empty.status, empty.responses[0]?.body, empty.responses[0]?.headers['Content-Type']]).toEqual([
      200,
      undefined,
      undefined,
    ]);
    expect(recorder.recording.updates).toHaveLength(2);
  });

  test.each(['INFO', 'MESSAGE', 'NOTIFY'])('%s with metadata', async (method) => {
    const { session } = await established();
    const request = await send(session, method, {
      body: METADATA.replace('Alice', 'Alicia'),
      contentType: 'application/rs-metadata+xml',
    });
    expect(request.responses).toEqual([{ status: 200, reason: 'OK', headers: { Server: 'sipreel/test' } }]);
    expect(recorder.recording.updates[0]?.call?.participants[0]?.name).toBe('Alicia');
  });

  test('INFO with something else', async () => {
    const { session } = await established();
    const request = await send(session, 'INFO', { body: 'Signal=5\r\n', contentType: 'application/dtmf-relay' });
    expect([request.status, recorder.recording.updates]).toEqual([200, []]);
  });

  test('SDP in an INFO is no offer', async () => {
    const { session } = await established();
    await send(session, 'INFO', { body: withDirection('inactive'), contentType: 'application/sdp' });
    expect(recorder.recording.updates).toEqual([]);
  });

  test('OPTIONS', async () => {
    const { session } = await established();
    const request = await send(session, 'OPTIONS');
    expect([request.status, request.responses[0]?.headers.Supported]).toEqual([200, 'siprec, timer']);
  });

  test.each(['REFER', 'SUBSCRIBE', 'PUBLISH', 'PRACK'])('%s is not for us', async (method) => {
    const { session } = await established();
    const request = await send(session, method);
    expect([request.status, request.responses[0]?.headers.Allow?.includes('UPDATE')]).toEqual([405, true]);
  });
});

test('the journal holds every message of the session, in order, with addresses', async () => {
  const { session } = await established();
  await send(session, 'INVITE', { body: multipart() });
  await send(session, 'ACK');
  await send(session, 'INFO');
  await send(session, 'BYE');
  const { journal, journalLines } = recorder.recording;
  expect(journalLines).toEqual([
    '< INVITE sip:recorder@srs.example SIP/2.0',
    '> SIP/2.0 200 OK',
    '< ACK sip:recorder@srs.example SIP/2.0',
    '< INVITE sip:recorder@srs.example SIP/2.0',
    '> SIP/2.0 200 OK',
    '< ACK sip:recorder@srs.example SIP/2.0',
    '< INFO sip:recorder@srs.example SIP/2.0',
    '> SIP/2.0 200 OK',
    '< BYE sip:recorder@srs.example SIP/2.0',
    '> SIP/2.0 200 OK',
  ]);
  expect({ ...journal[0], message: null }).toEqual({
    timeMs: clock.nowMs() - 10,
    direction: 'received',
    transport: 'udp',
    local: { host: '192.0.2.10', port: 5070 },
    remote: { host: '192.0.2.1', port: 5060 },
    message: null,
  });
});

describe('session timers', () => {
  const asks = { headers: { Supported: 'timer', 'Session-Expires': '1800' } };

  test('a client that vanishes: BYE 32 s before the end, and the recording says why', async () => {
    const { invite } = await established(asks);
    expect(invite.responses[0]!.headers).toMatchObject({ 'Session-Expires': '1800;refresher=uac', Require: 'timer' });
    clock.advance(1_768_000);
    await settle();
    expect(byes.map(({ headers }) => headers.Reason)).toEqual(['SIP;cause=200;text="recording abandoned"']);
    expect(recorder.recording.stops).toEqual(['abandoned']);
    byes[0]!.answer({});
    await settle();
    expect([ended, clock.pendingTimers]).toEqual([1, 0]);
  });

  test('its refresh by UPDATE gets the headers again, and nobody else gets any', async () => {
    const { session } = await established(asks);
    clock.advance(900_000);
    const update = await send(session, 'UPDATE', asks);
    expect(update.responses[0]!.headers).toMatchObject({ 'Session-Expires': '1800;refresher=uac' });
    clock.advance(1_700_000);
    expect(byes).toEqual([]);
    const without = await send(session, 'UPDATE');
    expect(without.responses[0]!.headers).not.toHaveProperty('Session-Expires');
    clock.advance(10_000_000);
    expect(byes).toEqual([]);
  });

  test('an interval below 90 s is refused with 422, but never inside a session', async () => {
    const short = { headers: { Supported: 'timer', 'Session-Expires': '60' } };
    const { invite } = await answered(short);
    expect([invite.status, invite.responses[0]!.headers['Min-SE'], ended]).toEqual([422, '90', 1]);
    const { session } = await established();
    expect((await send(session, 'UPDATE', short)).status).toBe(200);
  });
});
