import { describe, expect, test } from 'vitest';
import { describeCall } from '../../src/siprec/call-description.ts';
import { mergeMetadata } from '../../src/siprec/metadata/merge.ts';
import { readMetadata } from '../../src/siprec/metadata/read.ts';
import { METADATA } from './bodies.ts';

const headers = (lines: Record<string, string>) => Object.entries(lines).map(([name, value]) => ({ name, value }));
const describeMetadata = (text: string | null, labels: string[] = ['0', '1'], lines: Record<string, string> = {}) =>
  describeCall({
    sipCallId: 'rs-1',
    requestUri: 'sip:recorder@srs.example:5060;transport=tcp',
    headers: headers(lines),
    metadata: text === null ? null : readMetadata(text).metadata,
    labels,
  });
const party = (
  participantId: string,
  aor: string | null,
  name: string | null,
  sends: string[] = [],
  role: string | null = null,
) => ({
  participantId,
  aor,
  name,
  sends,
  role,
});

describe('from metadata', () => {
  test('participants in order, with the labels of what they send', () => {
    expect(describeMetadata(METADATA)).toEqual({
      participants: [
        party('p1', 'sip:alice@example.com', 'Alice', ['0']),
        party('p2', 'sip:bob@example.com', 'Bob', ['1']),
      ],
      identifiers: {
        sipCallId: 'rs-1',
        communicationSessionId: 's1',
        sipSessionIds: ['call-1'],
        groupId: null,
        vendor: {},
      },
      statedStartMs: null,
      extraHeaders: [],
    });
  });

  test('crossed labels follow the associations, not the order', () => {
    const crossed = METADATA.replace('<label>0</label>', '<label>x</label>')
      .replace('<label>1</label>', '<label>0</label>')
      .replace('<label>x</label>', '<label>1</label>');
    expect(describeMetadata(crossed).participants.map(({ participantId, sends }) => [participantId, sends])).toEqual([
      ['p1', ['1']],
      ['p2', ['0']],
    ]);
  });

  test('several names and addresses: the first of each; SIP backslashes go', () => {
    const text = `<recording><participant participant_id="1"><nameID><name>Jürgen \\"JJ\\" Müller</name></nameID>
      <nameID aor="tel:+491234"><name>J</name></nameID><nameID aor="sip:jj@example.com"/></participant></recording>`;
    expect(describeMetadata(text).participants).toEqual([party('1', 'tel:+491234', 'Jürgen "JJ" Müller')]);
  });

  test('streams named by label, without stream objects', () => {
    const text =
      '<recording><participant id="1" aor="sip:a@b"><send>stream1</send></participant><participant id="2" aor="sip:c@d"><send>other</send></participant></recording>';
    expect(describeMetadata(text, ['stream1', 'stream2']).participants).toEqual([
      party('1', 'sip:a@b', null, ['stream1']),
      party('2', 'sip:c@d', null, []),
    ]);
  });

  test('one participant with two streams, and a stream association that has ended', () => {
    const text = `<recording><participant participant_id="1"/>
      <stream stream_id="a"><label>0</label></stream><stream stream_id="b"><label>1</label></stream><stream stream_id="c"><label>2</label></stream>
      <participantstreamassoc participant_id="1"><send>a</send><send>b</send><send>a</send></participantstreamassoc>
      <participantstreamassoc participant_id="1"><send>c</send><disassociate-time>2026-01-01T00:00:00Z</disassociate-time></participantstreamassoc>
      </recording>`;
    expect(describeMetadata(text).participants).toEqual([party('1', null, null, ['0', '1'])]);
  });

  test('a participant whose every association has ended has left, unless all have', () => {
    const leaves = (id: string) =>
      `<participantsessionassoc participant_id="${id}" session_id="s1"><disassociate-time>2026-01-01T00:00:00Z</disassociate-time></participantsessionassoc>`;
    const ids = (text: string) => describeMetadata(text).participants.map((participant) => participant.participantId);
    expect(ids(METADATA.replace('</recording>', `${leaves('p2')}</recording>`))).toEqual(['p1']);
    expect(ids(METADATA.replace('</recording>', `${leaves('p1')}${leaves('p2')}</recording>`))).toEqual(['p1', 'p2']);
    const again = `${leaves('p2')}<participantsessionassoc participant_id="p2" session_id="s1"/>`;
    expect(ids(METADATA.replace('</recording>', `${again}</recording>`))).toEqual(['p1', 'p2']);
  });

  test("roles, where Oracle's extension says them", () => {
    const extension = (value: string) =>
      `<extensiondata xmlns:apkt="urn:a"><apkt:callingParty>${value}</apkt:callingParty></extensiondata>`;
    const text = `<recording><participant id="1" aor="sip:b@x">${extension('false')}</participant><participant id="2" aor="sip:a@x">${extension('true')}</participant></recording>`;
    expect(describeMetadata(text).participants.map(({ aor, role }) => [aor, role])).toEqual([
      ['sip:b@x', 'callee'],
      ['sip:a@x', 'caller'],
    ]);
  });

  test('group, sipSessionID, vendor ids, extra headers', () => {
    const text = `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><group group_id="sales-queue"><e:queue xmlns:e="urn:e">sales</e:queue></group>
      <session session_id="old"><stop-time>2026-01-01T00:00:00Z</stop-time></session>
      <session session_id="cs"><sipSessionID>call@a</sipSessionID><sipSessionID>call@b</sipSessionID><group-ref>sales-queue</group-ref>
      <e:ucid xmlns:e="urn:e">00FA</e:ucid><e:tree xmlns:e="urn:e"><e:leaf>x</e:leaf></e:tree></session></recording>`;
    const { identifiers, extraHeaders } = describeMetadata(text, [], {
      Via: 'SIP/2.0/UDP h',
      'X-Tenant': 'acme',
      'x-ucid': '',
      'User-Agent': 'SBC 1.0',
      'User-to-User': '0400;encoding=hex',
    });
    expect(identifiers).toEqual({
      sipCallId: 'rs-1',
      communicationSessionId: 'cs',
      sipSessionIds: ['call@a', 'call@b'],
      groupId: 'sales-queue',
      vendor: { queue: 'sales', ucid: '00FA', leaf: 'x', 'X-Tenant': 'acme', 'User-to-User': '0400;encoding=hex' },
    });
    expect(extraHeaders.map(({ name }) => name)).toEqual(['X-Tenant', 'x-ucid', 'User-Agent', 'User-to-User']);
  });

  test.each([
    ['session start', '<session session_id="s"><start-time>2026-01-01T00:00:01Z</start-time></session>', 1],
    [
      'session recording',
      '<sessionrecordingassoc session_id="s"><associate-time>2026-01-01T00:00:02Z</associate-time></sessionrecordingassoc>',
      2,
    ],
    [
      'earliest participant',
      '<participantsessionassoc participant_id="a"><associate-time>2026-01-01T00:00:09Z</associate-time></participantsessionassoc><participantsessionassoc participant_id="b"><associate-time>2026-01-01T00:00:03Z</associate-time></participantsessionassoc>',
      3,
    ],
  ])('stated start: %s', (_name, inside, second) => {
    expect(describeMetadata(`<recording>${inside}</recording>`).statedStartMs).toBe(Date.UTC(2026, 0, 1, 0, 0, second));
  });

  test('partial updates are merged first', () => {
    const known = readMetadata(METADATA).metadata;
    const update = readMetadata(
      '<recording><datamode>partial</datamode><participant participant_id="p2"><nameID aor="sip:bob@example.com"><name>Robert</name></nameID></participant></recording>',
    ).metadata;
    const call = describeCall({
      sipCallId: 'rs-1',
      requestUri: 'sip:srs',
      headers: [],
      metadata: mergeMetadata(known, update),
      labels: ['0', '1'],
    });
    expect(call.participants).toEqual([
      party('p1', 'sip:alice@example.com', 'Alice', ['0']),
      party('p2', 'sip:bob@example.com', 'Robert', ['1']),
    ]);
  });
});

describe('without metadata', () => {
  const parties = (lines: Record<string, string>) =>
    describeMetadata(null, [], lines).participants.map(({ provisional: _, ...each }) => each);

  test('they are provisional', () => {
    expect(describeMetadata(null, [], { From: '<sip:alice@pbx.example>' }).participants[0]?.provisional).toBe(true);
  });

  test('From is the caller, To the callee', () => {
    expect(parties({ From: '"Alice" <sip:alice@pbx.example>;tag=1', To: '<sip:bob@pbx.example>' })).toEqual([
      party('caller', 'sip:alice@pbx.example', 'Alice', [], 'caller'),
      party('callee', 'sip:bob@pbx.example', null, [], 'callee'),
    ]);
  });

  test('what names the recorder itself says nothing', () => {
    expect(parties({ From: '<sip:recorder@srs.example>;tag=1', To: '<sip:recorder@SRS.example:5060>' })).toEqual([]);
  });

  test('P-Asserted-Identity and Remote-Party-ID come first', () => {
    expect(
      parties({
        From: '<sip:trunk@pbx.example>;tag=1',
        'P-Asserted-Identity': '"Alice" <sip:+491@pbx.example>, <tel:+491>',
        'Remote-Party-ID': '"Bob" <sip:+492@pbx.example>;party=called;screen=yes',
        To: '<sip:recorder@srs.example>',
      }),
    ).toEqual([
      party('caller', 'sip:+491@pbx.example', 'Alice', [], 'caller'),
      party('callee', 'sip:+492@pbx.example', 'Bob', [], 'callee'),
    ]);
    expect(parties({ From: '<sip:anonymous@anonymous.invalid>', 'Remote-Party-ID': '<sip:+493@pbx.example>' })).toEqual(
      [party('caller', 'sip:+493@pbx.example', null, [], 'caller')],
    );
  });

  test('one party is not two', () => {
    expect(parties({ From: '<sip:alice@pbx.example>', To: '<sip:alice@pbx.example>' })).toHaveLength(1);
  });

  test('metadata without participants falls back to the headers', () => {
    expect(describeMetadata('<recording/>', [], { From: '<sip:alice@pbx.example>' }).participants).toHaveLength(1);
  });
});
