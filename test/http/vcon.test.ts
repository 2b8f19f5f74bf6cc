// Export as a vCon, judged by the draft's rules and by the audio that is in it.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { vconOf } from '../../src/recording/vcon.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { AUDIO, fileExample, recordingId } from '../archive/library-suite.ts';
import { partiesFitChannels, unsignedVcon } from '../support/vcon-rules.ts';
import { makeWav } from '../support/wav.ts';
import { openDoor } from './door-under-test.ts';

const ID = recordingId(1);
const EXTERNAL = { url: 'https://r.example.com/a', content_hash: `sha512-${'A'.repeat(86)}` };
const party = (id: string, over: Partial<RecordingDocument['participants'][number]>) => ({
  id,
  aor: null,
  name: null,
  role: 'other' as const,
  channel: null,
  rule: 'test',
  ...over,
});
const BOTH = [
  party('a', { aor: 'sip:1001@example.com;user=phone', name: 'Ann', role: 'caller', channel: 0 }),
  party('b', { aor: 'tel:+49-30-123', role: 'callee', channel: 1 }),
];
const AUDIO_FILE = { name: 'audio.wav', role: 'audio' as const, octets: 1, sha256: '0'.repeat(64) };
const exported = (over: Partial<RecordingDocument>) =>
  unsignedVcon.parse(vconOf(exampleDocument({ files: [AUDIO_FILE], participants: BOTH, ...over }), EXTERNAL));

describe('what stands in it', () => {
  test('who, in which channel, since when, and everything that was noted down', () => {
    const at = { offsetMs: 0, time: '2026-01-02T03:04:06.000Z' };
    const metadata = [{ received: at.time, contentType: 'application/rs-metadata+xml; x=y', text: '<recording/>' }];
    const vcon = exported({
      metadata,
      timeline: [
        { type: 'joined', ...at, participantId: 'b' },
        { type: 'dtmf', ...at, participantId: 'a', digit: '5' },
        { type: 'gap', ...at, streamId: 's0' },
      ],
    });
    expect(vcon.parties).toEqual([
      { sip: 'sip:1001@example.com', name: 'Ann', validation: 'none' },
      { tel: '+49-30-123' },
      { name: 'sipreel', validation: 'none' },
    ]);
    expect(vcon.dialog).toEqual([
      {
        type: 'recording',
        start: '2026-01-02T03:04:05.700Z',
        duration: 9.978,
        parties: [[0], [1]],
        mediatype: 'audio/x-wav',
        filename: 'audio.wav',
        party_history: [
          { party: 1, time: at.time, event: 'join' },
          { party: 0, time: at.time, event: 'keydown', button: '5' },
        ],
        ...EXTERNAL,
      },
    ]);
    const [own, raw] = vcon.attachments!;
    expect(JSON.parse(own!.body!)).toMatchObject({ version: 1, metadata });
    expect(raw).toMatchObject({
      mediatype: 'application/rs-metadata+xml',
      body: '<recording/>',
      encoding: 'none',
      party: 2,
    });
  });

  test.each<[string, Partial<RecordingDocument>, unknown, number | undefined]>([
    ['one channel', { audio: { sampleRateHz: 8000, channels: 1, layout: 'mono' } }, [0, 1], undefined],
    ['nobody knows which channel', { participants: BOTH.map((one) => ({ ...one, channel: null })) }, [[], []], 0],
    [
      'the caller on the right',
      { participants: [BOTH[1]!, BOTH[0]!].map((one, i) => ({ ...one, channel: i })) },
      [[0], [1]],
      1,
    ],
    ['nobody', { participants: [] }, [[], []], undefined],
    ['three channels', { audio: { sampleRateHz: 8000, channels: 3, layout: 'per-party' } }, [[0], [1], []], undefined],
  ])('%s', (_, over, parties, originator) => {
    const [dialog] = exported(over).dialog!;
    expect(dialog!.parties).toEqual(parties);
    expect(dialog!.originator).toBe(originator);
    expect(partiesFitChannels(dialog!.parties, over.audio?.channels ?? 2)).toBe(true);
  });

  test('a session id that all parties share, with the nil UUID where one end has none', () => {
    const [a, b] = ['ab30317f1a784dc48ff824d0d3715d86', '47755a9de7794ba387653f2099600ef2'];
    const of = (...sipSessionIds: string[]) =>
      exported({ call: { ...exampleDocument().call, sipSessionIds } }).dialog?.[0]?.session_id;
    expect(of(`${a};remote=${b}`)).toEqual({ local: a, remote: b });
    expect(of(a.toUpperCase())).toEqual({ local: a, remote: '0'.repeat(32) });
    for (const ids of [[], [a, b], ['whatever it is']]) expect(of(...ids)).toBeUndefined();
  });

  test('without audio there is none', () => {
    expect(vconOf(exampleDocument({ state: 'empty', audio: null }), EXTERNAL)).toBeNull();
  });
});

describe('over HTTP', () => {
  test('refers to the audio by https and its SHA-512, or has it inside', async () => {
    const door = await openDoor({ settings: { trustedProxies: ['127.0.0.1'] } });
    await fileExample(door.dataDirectory, { id: ID, participants: BOTH });
    const token = await door.newToken('listen', {}, 'ann');
    const get = (query: string, headers: Record<string, string> = {}) =>
      door.ask(`/api/recordings/${ID}/vcon${query}`, token, { headers });
    expect((await get('')).status).toBe(409);
    expect((await get('?base=http://r.example.com')).status).toBe(400);
    expect((await get('?dialog=both')).status).toBe(400);

    const content_hash = `sha512-${createHash('sha512').update(AUDIO).digest('base64url')}`;
    const referring = await get('?base=https://r.example.com/calls/');
    expect(referring.headers.get('content-type')).toMatch('application/vcon+json');
    expect(unsignedVcon.parse(await referring.json()).dialog![0]).toMatchObject({
      url: `https://r.example.com/calls/api/recordings/${ID}/audio`,
      content_hash,
    });
    const proxied = await get('', { 'x-forwarded-proto': 'https' });
    expect(unsignedVcon.parse(await proxied.json()).dialog![0]!.url).toBe(
      `https://127.0.0.1:${door.port}/api/recordings/${ID}/audio`,
    );

    const inside = unsignedVcon.parse(await (await get('?dialog=inline')).json()).dialog![0]!;
    expect(Buffer.from(inside.body!, 'base64url').toString()).toBe(AUDIO);
    expect(door.told.map(({ action, who, detail }) => [action, who, detail])).toEqual([
      ['export', 'token:ann', 'vcon, url'],
      ['export', 'token:ann', 'vcon, url'],
      ['export', 'token:ann', 'vcon, inline'],
    ]);
    expect((await door.ask(`/api/recordings/${recordingId(2)}/vcon`, token)).status).toBe(404);
  });

  test('audio of many pieces arrives whole', async () => {
    const door = await openDoor();
    const wav = makeWav({ channels: 2, durationMs: 10_010 });
    const put = await door.ask('/api/import', await door.newToken('import'), {
      method: 'PUT',
      body: new Uint8Array(wav),
    });
    const { id } = (await put.json()) as { id: string };
    const answer = await door.ask(`/api/recordings/${id}/vcon?dialog=inline`, await door.newToken('listen'));
    const vcon = unsignedVcon.parse(await answer.json());
    expect(Buffer.from(vcon.dialog![0]!.body!, 'base64url').equals(wav)).toBe(true);
    expect(vcon.dialog![0]!.duration).toBe(10.01);
  });
});

interface Spoilable {
  vcon: string;
  created_at?: string;
  dialog: Record<string, unknown>[];
}

describe('the rules', () => {
  const good = () => structuredClone(exported({})) as unknown as Spoilable;
  test.each<[string, (vcon: Spoilable) => void]>([
    ['plain http', ({ dialog }) => (dialog[0]!.url = 'http://x/')],
    ['no hash', ({ dialog }) => delete dialog[0]!.content_hash],
    ['another version', (vcon) => (vcon.vcon = '0.0.1')],
    ['an index that leads nowhere', ({ dialog }) => (dialog[0]!.parties = [[0], [7]])],
    ['an originator who is the first anyway', ({ dialog }) => (dialog[0]!.originator = 0)],
    ['no creation time', (vcon) => delete vcon.created_at],
  ])('find %s', (_, spoil) => {
    const vcon = good();
    spoil(vcon);
    expect(unsignedVcon.safeParse(vcon).success).toBe(false);
  });
});
