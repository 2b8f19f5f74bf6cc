// What every RecordingLibrary has to do, whatever it is made of.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { fileRecording } from '../../src/archive/filing.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import type { RecordingLibrary, RecordingPage, RecordingQuery } from '../../src/recording/library.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { exampleDocument } from './example-document.ts';

export interface LibraryUnderTest {
  library: RecordingLibrary;
  /** Told of each recording when it has been filed. */
  filed(recording: { directory: string; document: RecordingDocument }): Promise<void> | void;
}

export const AUDIO = 'RIFF: as good as a WAV here';
export const recordingId = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** Files a recording whose audio is a text. */
export async function fileExample(
  dataDirectory: string,
  over: Partial<RecordingDocument>,
): Promise<{ directory: string; document: RecordingDocument }> {
  const sha256 = createHash('sha256').update(AUDIO).digest('hex');
  const files: RecordingDocument['files'] = [{ name: 'audio.wav', role: 'audio', octets: AUDIO.length, sha256 }];
  const document = exampleDocument({ files, ...over });
  const spool = join(dataDirectory, 'spool', document.id);
  await mkdir(spool, { recursive: true });
  await writeFile(join(spool, 'audio.wav'), AUDIO);
  const root = join(dataDirectory, 'recordings');
  return fileRecording(spool, document, { root, nameTemplate: '{start}_{caller}_{id}', journal: 'always' });
}

const party = (aor: string | null, name: string | null, role: 'caller' | 'callee') => ({
  id: role,
  aor,
  name,
  role,
  channel: role === 'caller' ? 0 : 1,
  rule: 'test',
});

const stream = (id: string, packets: number, lost = 0): RecordingDocument['streams'][number] => ({
  id,
  label: id,
  participantId: null,
  channel: 0,
  rule: 'test',
  codecs: [],
  ssrcs: [],
  sources: [],
  rendered: packets > 0,
  packets,
  octets: 160 * packets,
  lost,
  duplicate: 0,
  late: 0,
  reordered: 0,
  undecodable: 0,
  jitterMs: 0,
  driftPpm: null,
  rtcpPackets: 0,
  firstPacket: null,
  lastPacket: null,
  drops: {},
});

const times = (start: string, durationMs = 10_000) => ({ ...exampleDocument().times, start, durationMs });
const call = (over: Partial<RecordingDocument['call']>) => ({ ...exampleDocument().call, ...over });

/** Numbered from the oldest to the newest; 4 and 5 begin in the same millisecond. */
const EXAMPLES: Partial<RecordingDocument>[] = [
  {
    id: recordingId(1),
    times: times('2025-12-31T23:59:59.999Z', 1_000),
    participants: [party('sip:1001@example.com', 'Ann Ångström', 'caller'), party('tel:+4930123', null, 'callee')],
    streams: [stream('s0', 100), stream('s1', 0)],
    call: call({ sipCallId: 'first@pbx', groupId: 'Sales', sipSessionIds: ['ab12'] }),
  },
  {
    id: recordingId(2),
    times: times('2026-01-01T00:00:00.000Z', 60_000),
    source: 'oreka',
    participants: [party('sip:1002@example.com', "O'Brien; DROP TABLE", 'caller')],
    streams: [stream('s0', 90, 10), stream('s1', 100, 1)],
    headers: [{ name: 'X-Tenant', value: 'north-7' }],
    call: call({ sipCallId: 'second', vendor: { ucid: '00FA08' } }),
  },
  { id: recordingId(3), times: times('2026-01-02T12:00:00.000Z', 0), state: 'empty', call: call({ groupId: 'sales' }) },
  {
    id: recordingId(4),
    times: times('2026-02-01T00:00:00.000Z', 5_000),
    participants: [party('sip:100%@example.com', 'percent_sign', 'callee')],
  },
  { id: recordingId(5), times: times('2026-02-01T00:00:00.000Z', 5_000), source: 'import' },
];

async function filled(make: (dataDirectory: string, clock: ManualClock) => Promise<LibraryUnderTest>) {
  const dataDirectory = await temporaryDirectory();
  const clock = new ManualClock();
  const { library, filed } = await make(dataDirectory, clock);
  for (const example of EXAMPLES) await filed(await fileExample(dataDirectory, example));
  return { dataDirectory, library, filed, clock };
}

const numbers = (page: RecordingPage) => page.items.map(({ document }) => Number(document.id.slice(-12)));

export function librarySuite(
  name: string,
  make: (dataDirectory: string, clock: ManualClock) => Promise<LibraryUnderTest>,
): void {
  describe(name, () => {
    test('questions and their answers, newest first', async () => {
      const { library } = await filled(make);
      await library.setTags(recordingId(2), ['Complaint', 'vip']);
      await library.addNote(recordingId(3), { text: 'wrong number, says the agent', by: 'test' });
      await library.setHold(recordingId(4), { reason: 'case 12', by: 'test' });
      const questions: [RecordingQuery, number[]][] = [
        [{}, [5, 4, 3, 2, 1]],
        [{ party: '1001' }, [1]],
        [{ party: 'ÅNGS' }, [1]],
        [{ party: '+4930' }, [1]],
        [{ party: '100' }, [4, 2, 1]],
        [{ party: '100%' }, [4]],
        [{ party: '%' }, [4]],
        [{ party: '_' }, [4]],
        [{ party: "'; DROP TABLE" }, []],
        [{ party: "o'brien; drop" }, [2]],
        [{ fromMs: Date.UTC(2026, 0, 1) }, [5, 4, 3, 2]],
        [{ toMs: Date.UTC(2026, 0, 1) }, [1]],
        [{ fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 1, 1) }, [3, 2]],
        [{ toMs: Date.UTC(2026, 0, 2, 12) }, [2, 1]],
        [{ fromMs: -1e15, toMs: 1e15 }, [5, 4, 3, 2, 1]],
        [{ minDurationMs: 5_000 }, [5, 4, 2]],
        [{ maxDurationMs: 1_000 }, [3, 1]],
        [{ state: 'empty' }, [3]],
        [{ source: 'oreka' }, [2]],
        [{ callId: 'FIRST@pbx' }, [1]],
        [{ callId: 'ab12' }, [1]],
        [{ callId: 'first' }, []],
        [{ group: 'sales' }, [3, 1]],
        [{ tag: 'complaint' }, [2]],
        [{ header: { name: 'x-tenant', value: 'NORTH-7' } }, [2]],
        [{ header: { name: 'x-tenant', value: 'north' } }, []],
        [{ number: '1001' }, [1]],
        [{ number: '100' }, []],
        [{ number: '1002@EXAMPLE.com' }, [2]],
        [{ number: '1002@example.net' }, []],
        [{ number: 'sip:1001@example.com' }, [1]],
        [{ number: "' OR 1=1" }, []],
        [{ header: { name: 'x-tenant', value: 'south' } }, []],
        [{ minLossPercent: 5 }, [2]],
        [{ silentSide: true }, [1]],
        [{ silentSide: false }, [5, 4, 3, 2]],
        [{ held: true }, [4]],
        [{ held: false }, [5, 3, 2, 1]],
        [{ text: 'agent wrong' }, [3]],
        [{ text: '  ann 1001 ' }, [1]],
        [{ text: '00fa08' }, [2]],
        [{ text: 'vip' }, [2]],
        [{ text: recordingId(5) }, [5]],
        [{ text: '"ann" OR 1=1' }, []],
        [{ text: 'ann* NEAR(x' }, []],
        [{ text: '' }, [5, 4, 3, 2, 1]],
        [{ scope: { parties: ['1001'], groups: [] } }, [1]],
        [{ scope: { parties: ['*@example.com'], groups: [] } }, [4, 2, 1]],
        [{ scope: { parties: ['1002'], groups: ['SALES'] } }, [3, 2, 1]],
        [{ scope: { parties: [], groups: ['s*s'] }, party: '1001' }, [1]],
        [{ scope: { parties: ['100_', '100%25'], groups: ['%'] } }, []],
        [{ scope: { parties: [], groups: [] } }, [5, 4, 3, 2, 1]],
      ];
      for (const [query, expected] of questions) {
        expect(numbers(await library.search(query, { limit: 50, after: null })), JSON.stringify(query)).toEqual(
          expected,
        );
        expect((await library.statistics(query)).recordings, JSON.stringify(query)).toBe(expected.length);
      }
    });

    test('pages follow each other without a gap or a repetition while recordings come and go', async () => {
      const { library, filed, dataDirectory } = await filled(make);
      const first = await library.search({}, { limit: 1, after: null });
      expect(numbers(first)).toEqual([5]);
      await filed(await fileExample(dataDirectory, { id: recordingId(6), times: times('2026-03-01T00:00:00.000Z') }));
      await library.delete(recordingId(5));
      const second = await library.search({}, { limit: 2, after: first.next });
      expect(numbers(second)).toEqual([4, 3]);
      const third = await library.search({}, { limit: 2, after: second.next });
      expect(numbers(third)).toEqual([2, 1]);
      expect(third.next).toBeNull();
    });

    test('a forged cursor is refused', async () => {
      const { library } = await filled(make);
      for (const after of [
        '',
        'x',
        '../../etc/passwd',
        Buffer.from('["2026-01-01","x"]').toString('base64url'),
        Buffer.from('{"start":1}').toString('base64url'),
        Buffer.from(`["2026-01-01T00:00:00.000Z' OR 1=1","x"]`).toString('base64url'),
      ]) {
        const search = library.search({}, { limit: 5, after });
        await expect(search, after).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
      }
    });

    test('what is no id is not found', async () => {
      const { library } = await filled(make);
      const noIds = ['', '.', '..', '../spool', '%', recordingId(99), `${recordingId(1)}/../x`, `${recordingId(1)}\0`];
      for (const id of noIds) {
        expect(await library.get(id), id).toBeNull();
        expect(await library.openFile(id, 'audio'), id).toBeNull();
        await expect(library.delete(id), id).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(library.setTags(id, []), id).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
    });

    test('a recording filed after the first look is found', async () => {
      const { library, filed, dataDirectory } = await filled(make);
      expect(await library.get(recordingId(7))).toBeNull();
      const recording = await fileExample(dataDirectory, { id: recordingId(7) });
      await filed(recording);
      expect(await library.get(recordingId(7))).toMatchObject({ document: recording.document });
    });

    test('tags, notes and hold are kept, whoever writes at the same time', async () => {
      const { library, clock } = await filled(make);
      const id = recordingId(1);
      await Promise.all([
        library.setTags(id, ['b', 'a', 'b']),
        ...Array.from({ length: 10 }, (_, i) => library.addNote(id, { text: `note ${i}`, by: 'token:x' })),
        library.setHold(id, { reason: null, by: 'token:y' }),
      ]);
      const { annotations } = (await library.get(id))!;
      expect(annotations.tags).toEqual(['a', 'b']);
      expect(annotations.notes.map((note) => note.text).sort()).toEqual(
        Array.from({ length: 10 }, (_, i) => `note ${i}`),
      );
      expect(annotations.hold).toEqual({ reason: null, by: 'token:y', sinceMs: clock.wallMs() });
      const left = await library.removeNote(id, annotations.notes[0]!.noteId);
      expect(left.notes).toEqual(annotations.notes.slice(1));
      await expect(library.removeNote(id, annotations.notes[0]!.noteId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('a recording on hold is not deleted', async () => {
      const { library } = await filled(make);
      await library.setHold(recordingId(1), { reason: 'court', by: 'x' });
      await expect(library.delete(recordingId(1))).rejects.toMatchObject({ code: 'ON_HOLD' });
      expect(await library.get(recordingId(1))).not.toBeNull();
      await library.setHold(recordingId(1), null);
      await library.delete(recordingId(1));
      expect(await library.get(recordingId(1))).toBeNull();
    });

    test('of many deletions at once one succeeds, the others find nothing', async () => {
      const { library } = await filled(make);
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => library.delete(recordingId(2))));
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'NOT_FOUND' });
    });

    test('an open file is read to its end although its recording is deleted', async () => {
      const { library } = await filled(make);
      const file = (await library.openFile(recordingId(1), 'audio'))!;
      await library.delete(recordingId(1));
      expect(await text(file.read(0, AUDIO.length - 1))).toBe(AUDIO);
      expect(await text(file.read(5, 7))).toBe(AUDIO.slice(5, 8));
      await file.close();
      expect(await library.openFile(recordingId(1), 'audio')).toBeNull();
      expect(await library.openFile(recordingId(2), 'journal')).toBeNull();
    });
  });
}
