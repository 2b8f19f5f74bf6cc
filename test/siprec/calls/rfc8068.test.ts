// The call flows of RFC 8068, by their sections: what each recording holds in the end. The messages are ours, written after
// the RFC's scenarios with the ids of its examples. Its own texts were at hand for the basic call and for hold and resume
// only; those tests have their shape, the others that of the scenario's description.
import { beforeEach, describe, expect, test } from 'vitest';
import { nothingLeftOpen, VirtualClient } from './virtual-client.ts';
import { TONES, VirtualRecorder } from './virtual-recorder.ts';

const { alice, bob, carol } = TONES;
const CS = 'hVpd7YQgRW2nD22h7q60JQ==';
const NEXT_CS = '7+OTCyoxTmqmqyA/1weDAg==';
const BOB = 'srfBElmCRp2QB23b7Mpk0w==';
const ALICE = 'zSfPoSvdSDCmU3A3TRDxAw==';
const CAROL = 'Atnm1ZRnOC6Pm5MApkrDzQ==';
const FROM_BOB = ['UAAMm5GRQKSCMVvLyl4rFw==', 'i1Pz3to5hGk8fuXl+PbwCw=='];
const FROM_ALICE = ['8zc6e0lYTlWIINA6GR+3ag==', 'EiXGlc+4TruqqoDaNE76ag=='];

/** Bob's audio and video, Alice's audio and video, as labels 96 to 99; label before direction, as in the RFC. */
const offer = ({ bobs = 'sendonly', alices = 'sendonly' } = {}) =>
  [
    'v=0\r\no=SRC 2890844526 2890844526 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0',
    `m=audio 12240 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=label:96\r\na=${bobs}`,
    `m=video 22456 RTP/AVPF 98\r\na=rtpmap:98 H.264/90000\r\na=label:97\r\na=${bobs}`,
    `m=audio 12242 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=label:98\r\na=${alices}`,
    `m=video 22458 RTP/AVPF 98\r\na=rtpmap:98 H.264/90000\r\na=label:99\r\na=${alices}`,
    '',
  ].join('\r\n');
const mixedOffer = (direction = 'sendonly') =>
  `v=0\r\no=SRC 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 12240 RTP/AVP 0\r\na=${direction}\r\na=label:96\r\n`;

const document = (mode: 'complete' | 'partial', ...objects: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>\r\n<recording xmlns='urn:ietf:params:xml:ns:recording:1'>\r\n<datamode>${mode}</datamode>\r\n${objects.join('\r\n')}\r\n</recording>\r\n`;
const session = (id = CS, more = '') =>
  `<session session_id="${id}"><sipSessionID>ab30317f1a784dc48ff824d0d3715d86;\r\n  remote=47755a9de7794ba387653f2099600ef2</sipSessionID>${more}</session>`;
const person = (id: string, name: string) =>
  `<participant participant_id="${id}"><nameID aor="sip:${name}@biloxi.com"><name xml:lang="en">${name}</name></nameID></participant>`;
const stream = (id: string, label: number, of = CS) =>
  `<stream stream_id="${id}" session_id="${of}"><label>${label}</label></stream>`;
const there = (id: string, of = CS, end = '') =>
  `<participantsessionassoc participant_id="${id}" session_id="${of}"><associate-time>2010-12-16T23:41:07Z</associate-time>${end}</participantsessionassoc>`;
const gone = (id: string, of = CS) => there(id, of, '<disassociate-time>2010-12-16T23:42:07Z</disassociate-time>');
const media = (id: string, send: string[], recv: string[]) =>
  `<participantstreamassoc participant_id="${id}">${send.map((each) => `<send>${each}</send>`).join('')}${recv.map((each) => `<recv>${each}</recv>`).join('')}</participantstreamassoc>`;

const streams = [
  stream(FROM_BOB[0]!, 96),
  stream(FROM_BOB[1]!, 97),
  stream(FROM_ALICE[0]!, 98),
  stream(FROM_ALICE[1]!, 99),
];
const snapshot = document(
  'complete',
  session(),
  person(BOB, 'Bob'),
  person(ALICE, 'Alice'),
  ...streams,
  `<sessionrecordingassoc session_id="${CS}"><associate-time>2010-12-16T23:41:07Z</associate-time></sessionrecordingassoc>`,
  there(BOB),
  there(ALICE),
  media(BOB, FROM_BOB, FROM_ALICE),
  media(ALICE, FROM_ALICE, FROM_BOB),
);

let recorder: VirtualRecorder;
let client: VirtualClient;

beforeEach(async () => {
  recorder = await VirtualRecorder.create();
  client = new VirtualClient(recorder);
  nothingLeftOpen(recorder);
});

async function begin() {
  const answer = await client.call({ sdp: offer(), metadata: snapshot, lines: ['Require: siprec'] });
  expect(answer?.body?.match(/^m=\w+ (0|\d+)/gm)?.map((line) => line.replace(/ [1-9]\d*$/, ' port'))).toEqual([
    'm=audio port',
    'm=video 0',
    'm=audio port',
    'm=video 0',
  ]);
  recorder.talk({ port: client.port('96'), hz: bob }, { port: client.port('98'), hz: alice });
  await recorder.pass(1_000);
}

async function end(metadata: string | null = null) {
  await client.send('BYE', { metadata });
  return (await recorder.finished())[0]!;
}

describe('§3.2 streams without mixing', () => {
  test('example 1: a basic call; the video is refused, the audio is recorded', async () => {
    await begin();
    const call = await end();
    expect(call.document.participants.map(({ name, channel, rule }) => [name, channel, rule])).toEqual([
      ['Bob', 0, 'metadata-order'],
      ['Alice', 1, 'metadata-order'],
    ]);
    expect([call.hears(0, bob, 50, 950), call.hears(1, alice, 50, 950)]).toEqual([true, true]);
    expect(call.document.call.sipSessionIds).toEqual([
      'ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2',
    ]);
  });

  test('example 2: Alice holds, then takes the call again; the metadata alone says so, the SDP stays', async () => {
    await begin();
    const [held, resumed] = [
      document('partial', media(BOB, [], FROM_ALICE), media(ALICE, FROM_ALICE, [])),
      document('partial', media(BOB, FROM_BOB, FROM_ALICE), media(ALICE, FROM_ALICE, FROM_BOB)),
    ];
    await client.send('INVITE', { sdp: offer(), metadata: held });
    recorder.hush(client.port('96'));
    await recorder.pass(1_000);
    await client.send('INVITE', { sdp: offer(), metadata: resumed });
    recorder.talk({ port: client.port('96'), hz: bob });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.hears(0, bob, 50, 950), call.silent(0, 1_100, 1_900), call.hears(0, bob, 2_100, 2_900)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(call.hears(1, alice, 50, 2_900)).toBe(true);
    expect(call.document.participants.map(({ name, channel }) => [name, channel])).toEqual([
      ['Bob', 0],
      ['Alice', 1],
    ]);
    expect(call.document.streams.map(({ label, participantId }) => [label, participantId])).toEqual([
      ['96', BOB],
      ['98', ALICE],
    ]);
  });

  test('example 2 with the held stream inactive in the SDP too: what it still sends is dropped', async () => {
    await begin();
    await client.send('INVITE', {
      sdp: offer({ bobs: 'inactive' }),
      metadata: document('partial', media(BOB, [], FROM_ALICE), media(ALICE, FROM_ALICE, [])),
    });
    await recorder.pass(1_000);
    await client.send('INVITE', {
      sdp: offer(),
      metadata: document('partial', media(BOB, FROM_BOB, FROM_ALICE), media(ALICE, FROM_ALICE, FROM_BOB)),
    });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.hears(0, bob, 50, 950), call.silent(0, 1_100, 1_900), call.hears(0, bob, 2_100, 2_900)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(call.hears(1, alice, 50, 2_900)).toBe(true);
    expect(call.document.metadata).toHaveLength(3);
  });

  test('example 3: a transfer by re-INVITE: Carol takes Alice’s place in the same session', async () => {
    await begin();
    const moved = document(
      'partial',
      person(CAROL, 'Carol'),
      gone(ALICE),
      there(CAROL),
      media(CAROL, FROM_ALICE, FROM_BOB),
      media(ALICE, [], []),
    );
    await client.send('UPDATE', { metadata: moved });
    recorder.hush(client.port('98'));
    recorder.talk({ port: client.port('98'), hz: carol });
    await recorder.pass(1_000);
    const call = await end();
    expect(call.document.participants.map(({ name, channel }) => [name, channel])).toEqual([
      ['Bob', 0],
      ['Alice', 1],
      ['Carol', 1],
    ]);
    expect([call.hears(1, alice, 50, 950), call.hears(1, carol, 1_100, 1_900), call.hears(0, bob, 50, 1_900)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(
      call.document.timeline
        .filter(({ type }) => type === 'joined' || type === 'left')
        .map(({ type, participantId }) => [type, participantId]),
    ).toEqual([
      ['joined', CAROL],
      ['left', ALICE],
    ]);
  });

  test('example 3: a transfer by REFER: the new call is another session, and another recording', async () => {
    await begin();
    const next = document(
      'complete',
      session(CS, '<stop-time>2010-12-16T23:42:07Z</stop-time>'),
      `<session session_id="${NEXT_CS}"><sipSessionID>f81d4fae7dec11d0a76500a0c91e6bf6;remote=47755a9de7794ba387653f2099600ef2</sipSessionID></session>`,
      person(BOB, 'Bob'),
      person(CAROL, 'Carol'),
      stream(FROM_BOB[0]!, 96, NEXT_CS),
      stream(FROM_ALICE[0]!, 98, NEXT_CS),
      there(BOB, NEXT_CS),
      there(CAROL, NEXT_CS),
      media(BOB, [FROM_BOB[0]!], [FROM_ALICE[0]!]),
      media(CAROL, [FROM_ALICE[0]!], [FROM_BOB[0]!]),
    );
    await client.send('INVITE', { sdp: offer(), metadata: next });
    recorder.hush();
    recorder.talk({ port: client.port('96'), hz: bob }, { port: client.port('98'), hz: carol });
    await recorder.pass(1_000);
    await client.send('BYE');
    const [one, two] = await recorder.finished();
    expect([one, two].map((call) => call?.document.participants.map(({ name }) => name))).toEqual([
      ['Bob', 'Alice'],
      ['Bob', 'Carol'],
    ]);
    expect([one!.hears(1, alice, 50, 950), two!.hears(1, carol, 50, 950), two!.hears(0, bob, 50, 950)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(one!.document.times.durationMs).toBeLessThan(1_100);
  });

  test('example 4: the last metadata comes with the BYE', async () => {
    await begin();
    const call = await end(
      document('partial', session(CS, '<stop-time>2010-12-16T23:42:07Z</stop-time>'), gone(BOB), gone(ALICE)),
    );
    expect([call.document.endReason, call.document.metadata.length]).toEqual(['ended', 2]);
    expect(call.document.participants.map(({ name }) => name)).toEqual(['Bob', 'Alice']);
  });
});

describe('§3.3 streams mixed by the client', () => {
  const [mix] = FROM_BOB;
  const mixed = document(
    'complete',
    session(),
    person(BOB, 'Bob'),
    person(ALICE, 'Alice'),
    stream(mix!, 96),
    there(BOB),
    there(ALICE),
    media(BOB, [mix!], []),
    media(ALICE, [mix!], []),
  );

  async function beginMixed() {
    await client.call({ sdp: mixedOffer(), metadata: mixed });
    recorder.talk({ port: client.port('96'), hz: bob });
    await recorder.pass(1_000);
  }

  test('a basic call: one channel, said to be mixed', async () => {
    await beginMixed();
    const call = await end();
    expect([call.channels, call.hears(0, bob, 50, 950), call.document.warnings.map(({ code }) => code)]).toEqual([
      1,
      true,
      ['mixed-audio'],
    ]);
    expect(call.document.participants.map(({ channel }) => channel)).toEqual([0, 0]);
  });

  test('hold and resume of one party do not touch the mix', async () => {
    await beginMixed();
    await client.send('UPDATE', { metadata: document('partial', media(BOB, [], [])) });
    await recorder.pass(1_000);
    const call = await end();
    expect([call.channels, call.hears(0, bob, 50, 1_900)]).toEqual([1, true]);
  });

  test('Carol joins the mix, Bob drops out of it', async () => {
    await beginMixed();
    await client.send('UPDATE', {
      metadata: document(
        'partial',
        person(CAROL, 'Carol'),
        there(CAROL),
        media(CAROL, [mix!], []),
        media(BOB, [mix!], []),
        media(ALICE, [mix!], []),
      ),
    });
    await recorder.pass(500);
    await client.send('UPDATE', { metadata: document('partial', gone(BOB)) });
    await recorder.pass(500);
    const call = await end();
    expect(
      call.document.timeline
        .filter(({ type }) => type === 'joined' || type === 'left')
        .map(({ type, participantId }) => [type, participantId]),
    ).toEqual([
      ['joined', CAROL],
      ['left', BOB],
    ]);
    expect([call.channels, call.document.participants.map(({ name }) => name)]).toEqual([1, ['Bob', 'Alice', 'Carol']]);
  });
});

test('§3.4 a persistent recording session: each call its own recording, nothing between them', async () => {
  await begin();
  const over = document('partial', session(CS, '<stop-time>2010-12-16T23:42:07Z</stop-time>'), gone(BOB), gone(ALICE));
  await client.send('INVITE', { sdp: offer({ bobs: 'inactive', alices: 'inactive' }), metadata: over });
  await recorder.pass(1_000);
  // A refresh in between begins nothing.
  await client.send('INVITE', { sdp: offer({ bobs: 'inactive', alices: 'inactive' }) });
  const next = snapshot
    .replaceAll(CS, NEXT_CS)
    .replaceAll('ab30317f1a784dc48ff824d0d3715d86', 'f81d4fae7dec11d0a76500a0c91e6bf6');
  await client.send('INVITE', { sdp: offer(), metadata: next });
  recorder.hush();
  recorder.talk({ port: client.port('96'), hz: bob }, { port: client.port('98'), hz: alice });
  await recorder.pass(1_000);
  await client.send('BYE');
  const calls = await recorder.finished();
  expect(calls.map(({ document: { call, endReason } }) => [call.communicationSessionId, endReason])).toEqual([
    [CS, 'ended'],
    [NEXT_CS, 'ended'],
  ]);
  for (const call of calls) {
    expect([
      call.hears(0, bob, 50, 950),
      call.hears(1, alice, 50, 950),
      call.document.times.durationMs < 1_100,
    ]).toEqual([true, true, true]);
  }
});

test('§3.5 a turret mixes two calls into one stream: one recording with the parties of both', async () => {
  const [mix] = FROM_BOB;
  const both = document(
    'complete',
    session(),
    `<session session_id="${NEXT_CS}"/>`,
    person(BOB, 'Bob'),
    person(ALICE, 'Alice'),
    person(CAROL, 'Carol'),
    stream(mix!, 96),
    there(BOB),
    there(ALICE),
    there(BOB, NEXT_CS),
    there(CAROL, NEXT_CS),
    ...[BOB, ALICE, CAROL].map((id) => media(id, [mix!], [])),
  );
  await client.call({ sdp: mixedOffer(), metadata: both });
  recorder.talk({ port: client.port('96'), hz: carol });
  await recorder.pass(500);
  const call = await end();
  expect((await recorder.finished()).length).toBe(1);
  expect([call.channels, call.document.participants.map(({ name }) => name)]).toEqual([1, ['Bob', 'Alice', 'Carol']]);
});
