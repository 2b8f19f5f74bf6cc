// Clients that are not quite SIPREC, and those that leave the offer to us; judged on the finished recording.
import { beforeEach, describe, expect, test } from 'vitest';
import { metadata, offer } from '../texts.ts';
import { nothingLeftOpen, VirtualClient } from './virtual-client.ts';
import { TONES, VirtualRecorder } from './virtual-recorder.ts';

const CS = 'hVpd7YQgRW2nD22h7q60JQ==';
const { alice, bob } = TONES;
const party = (id: string, ...sends: string[]) => ({ id, sends, sessionId: CS });

let recorder: VirtualRecorder;

beforeEach(async () => {
  recorder = await VirtualRecorder.create();
  nothingLeftOpen(recorder);
});

/** The client's answer to our offer: one m-line per port. */
const answerOf = (...directions: string[]) =>
  `v=0\r\no=phone 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n${directions
    .map(
      (each) =>
        `m=audio ${each === 'refused' ? 0 : 20_000} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=${each === 'refused' ? 'inactive' : each}\r\n`,
    )
    .join('')}`;

describe('the offer is left to us', () => {
  // The header fields of Cisco's "recording use cases" for CUCM.
  const bridge = (end: string) =>
    `From: <sip:2000@ucm1;x-${end};x-refci=27298698;x-nearenddevice=SEP0011;x-farendrefci=27298697;x-farenddevice=SEP0022;x-farendaddr=1000>;tag=${end}`;

  test('a phone that forks its own media, near end and far end: one stereo recording', async () => {
    const [near, far] = [new VirtualClient(recorder), new VirtualClient(recorder)];
    const offered = await near.invite({ lines: [bridge('nearend')] });
    expect([
      offered?.status,
      offered?.body?.match(/^m=audio .*/gm)?.length,
      offered?.body?.includes('a=recvonly'),
    ]).toEqual([200, 1, true]);
    await near.send('ACK', { sdp: answerOf('sendonly') });
    await far.invite({ lines: [bridge('farend')] });
    await far.send('ACK', { sdp: answerOf('sendonly') });
    recorder.talk({ port: near.port(0), hz: alice }, { port: far.port(0), hz: bob });
    await recorder.pass(1_000);
    await near.send('BYE');
    await far.send('BYE');
    const [call, ...others] = await recorder.finished();
    expect(others).toEqual([]);
    expect([call!.channels, call!.hears(0, alice, 50, 950), call!.hears(1, bob, 50, 950)]).toEqual([2, true, true]);
    expect(call!.document.participants.map(({ aor, channel }) => [aor, channel])).toEqual([
      ['sip:2000@ucm1', 0],
      ['sip:1000@ucm1', 1],
    ]);
    expect(call!.document.sessions.map(({ joinedBy }) => joinedBy)).toEqual(['first', 'vendor-id:refci']);
  });

  test('media that comes before the ACK is heard', async () => {
    const client = new VirtualClient(recorder);
    await client.invite({ lines: ['Require: siprec'] });
    recorder.talk({ port: client.port(0), hz: alice });
    await recorder.pass(500);
    await client.send('ACK', { sdp: answerOf('sendonly') });
    await recorder.pass(500);
    await client.send('BYE');
    const [call] = await recorder.finished();
    expect(call!.hears(0, alice, 50, 950)).toBe(true);
  });

  test('metadata that names two streams: two m-lines with their labels, one of them refused by the client', async () => {
    const client = new VirtualClient(recorder);
    const xml = metadata({ parties: [party('alice', '10'), party('bob', '20')] });
    const offered = await client.invite({ metadata: xml });
    expect(offered?.body?.match(/^a=label:.*/gm)).toEqual(['a=label:10\r', 'a=label:20\r'].map((line) => line.trim()));
    await client.send('ACK', { sdp: answerOf('sendonly', 'refused') });
    recorder.talk({ port: client.port('10'), hz: alice }, { port: client.port('20'), hz: bob });
    await recorder.pass(1_000);
    await client.send('BYE');
    const [call] = await recorder.finished();
    expect([call!.hears(0, alice, 50, 950), call!.silent(1, 0, 950)]).toEqual([true, true]);
  });

  test('an ACK without an answer costs nothing', async () => {
    const client = new VirtualClient(recorder);
    await client.call({ lines: ['Contact: <sip:src@192.0.2.1>;+sip.src'] });
    recorder.talk({ port: client.port(0), hz: alice });
    await recorder.pass(500);
    await client.send('BYE');
    expect((await recorder.finished())[0]!.document.state).toBe('finished');
  });

  test('a call without SDP that says nothing of recording is refused', async () => {
    expect((await new VirtualClient(recorder).invite({}))?.status).toBe(488);
  });
});

describe('plain SDP, the parties in headers', () => {
  test.each<[string, string[], [string | null, string | null]]>([
    [
      'From and To',
      ['From: "Alice" <sip:alice@pbx.example>;tag=a', 'To: <sip:bob@pbx.example>'],
      ['sip:alice@pbx.example', 'sip:bob@pbx.example'],
    ],
    [
      'P-Asserted-Identity and Remote-Party-ID of the called party',
      ['P-Asserted-Identity: <sip:+491@pbx.example>', 'Remote-Party-ID: <sip:+492@pbx.example>;party=called'],
      ['sip:+491@pbx.example', 'sip:+492@pbx.example'],
    ],
  ])('%s', async (_name, lines, [caller, callee]) => {
    const client = new VirtualClient(recorder);
    await client.call({ sdp: offer('0', '1'), lines });
    recorder.talk({ port: client.port(0), hz: alice }, { port: client.port(1), hz: bob });
    await recorder.pass(1_000);
    await client.send('BYE');
    const [call] = await recorder.finished();
    expect(call!.document.participants.map(({ aor, channel, rule }) => [aor, channel, rule])).toEqual([
      [caller, 0, 'stated-role'],
      [callee, 1, 'stated-role'],
    ]);
    expect([call!.hears(0, alice, 50, 950), call!.hears(1, bob, 50, 950)]).toEqual([true, true]);
  });

  test('no labels at all: streams are told apart by their order', async () => {
    const client = new VirtualClient(recorder);
    const sdp = offer('0', '1')
      .replace(/a=label:.*\r\n/g, '')
      .replaceAll('sendonly', 'sendrecv');
    await client.call({ sdp, lines: ['Require: siprec'] });
    recorder.talk({ port: client.port(0), hz: alice }, { port: client.port(1), hz: bob });
    await recorder.pass(1_000);
    await client.send('BYE');
    const [call] = await recorder.finished();
    expect([call!.hears(0, alice, 50, 950), call!.hears(1, bob, 50, 950)]).toEqual([true, true]);
  });
});

describe('header fields', () => {
  test('Session-ID: our half stays, theirs is repeated (RFC 7989)', async () => {
    const client = new VirtualClient(recorder);
    const theirs = 'ab30317f1a784dc48ff824d0d3715d86';
    const line = `Session-ID: ${theirs};remote=${'0'.repeat(32)}`;
    const first = await client.call({ sdp: offer('0'), lines: [line, 'Require: siprec'] });
    const again = await client.send('OPTIONS', { lines: [line] });
    const bye = await client.send('BYE', { lines: [line] });
    const ids = [first, again, bye].map((answer) => answer?.headers['Session-ID']);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(new RegExp(`^[0-9a-f]{32};remote=${theirs}$`));
  });

  test('a recording-aware client is told what is done with its streams', async () => {
    const client = new VirtualClient(recorder);
    const sdp = offer('0', '1').replace('a=label:0', 'a=recordpref:on\r\na=label:0');
    const answer = await client.call({ sdp });
    expect(answer?.body?.match(/^a=record:.*$/gm)).toEqual(['a=record:on']);
    const held = await client.send('INVITE', { sdp: sdp.replaceAll('sendonly', 'inactive') });
    expect(held?.body?.match(/^a=record:.*$/gm)).toEqual(['a=record:paused']);
    await client.send('BYE');
  });

  test('a client that supports record-aware is told for every stream, in every answer', async () => {
    const client = new VirtualClient(recorder);
    const told = (answer?: { body?: string }) => answer?.body?.match(/^a=record:.*$/gm);
    const first = await client.call({ sdp: offer('0', '1'), lines: ['Supported: timer, Record-Aware'] });
    expect(told(first)).toEqual(['a=record:on', 'a=record:on']);
    const held = offer('0', '1').replace('sendonly', 'inactive');
    expect(told(await client.send('INVITE', { sdp: held }))).toEqual(['a=record:paused', 'a=record:on']);
    await client.send('BYE');
  });

  test('a recording-aware client whose call a rule discards is told so, and nothing is kept', async () => {
    const rule = { when: { preference: 'off' as const }, do: 'discard' as const, because: 'the caller objects' };
    const recorder = await VirtualRecorder.create([{ ...rule, status: null, keepDays: null, name: null, tags: [] }]);
    nothingLeftOpen(recorder);
    const client = new VirtualClient(recorder);
    const sdp = offer('0', '1').replaceAll('a=label:', 'a=recordpref:off\r\na=label:');
    const answer = await client.call({ sdp });
    expect(answer?.body?.match(/^a=(record:.*|inactive)$/gm)).toEqual([
      'a=inactive',
      'a=record:off',
      'a=inactive',
      'a=record:off',
    ]);
    recorder.talk({ port: client.port(0), hz: alice });
    await recorder.pass(500);
    await client.send('BYE');
    expect(await recorder.finished()).toEqual([]);
  });

  test('100rel is required: nothing unreliable is sent, only the final answer', async () => {
    const client = new VirtualClient(recorder);
    const answer = await client.call({ sdp: offer('0'), lines: ['Require: 100rel, siprec'] });
    expect(answer?.status).toBe(200);
    await client.send('BYE');
  });

  test('the reasons of a BYE are kept', async () => {
    const client = new VirtualClient(recorder);
    await client.call({ sdp: offer('0'), lines: ['Require: siprec'] });
    recorder.talk({ port: client.port(0), hz: alice });
    await recorder.pass(200);
    await client.send('BYE', { lines: ['Reason: Q.850;cause=16, SIP;cause=200;text="over, and out"'] });
    const [call] = await recorder.finished();
    expect(call!.document.sessions[0]?.reasons).toEqual(['Q.850;cause=16', 'SIP;cause=200;text="over, and out"']);
  });
});
