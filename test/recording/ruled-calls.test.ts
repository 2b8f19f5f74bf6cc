// What rules do to calls that come, run and end.
import { describe, expect, test } from 'vitest';
import { recordingName } from '../../src/archive/names.ts';
import { configSchema } from '../../src/config/schema.ts';
import { silentLog } from '../../src/lib/log.ts';
import { recordingDocument } from '../../src/recording/document.ts';
import { Finisher } from '../../src/recording/finisher.ts';
import { LiveRecorder } from '../../src/recording/recorder.ts';
import { recoverSessions } from '../../src/recording/recover.ts';
import { RecordingRules } from '../../src/recording/rules.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { callOf, FakeArchive, FakeCapture, FakeRender, startRequest } from './fakes.ts';

function build(list: object[]) {
  const clock = new ManualClock();
  const capture = new FakeCapture();
  const archive = new FakeArchive();
  const lines: [object, string][] = [];
  const log = { ...silentLog, info: (fields: object, message: string) => void lines.push([fields, message]) };
  log.child = () => log;
  const parsed = configSchema.parse({ rules: { list } }).rules;
  const rules = new RecordingRules(parsed.list, parsed.ours);
  const audio = { layout: 'stereo' as const, sampleRateHz: null };
  const render = new FakeRender();
  const finisher = new Finisher({ render, archive, clock, log, audio, rules, concurrency: 1, onFiled: () => {} });
  const limits = {
    maxRecordings: 3,
    floorMiB: 512,
    floorPercent: 1,
    reservePerRecordingMiB: 10,
    inactivityMs: 60_000,
    holdInactivityMs: 600_000,
    maxDurationMs: 3_600_000,
  };
  const recorder = new LiveRecorder({ capture, archive, finisher, rules, clock, log, limits });
  const received = () => capture.sessions[0]!.streams.map(({ receiving }) => receiving);
  const updates = () => capture.sessions[0]!.updates.map(({ receiving }) => receiving);
  const discards = () =>
    lines.filter(([, message]) => message.includes('discarded by a rule')).map(([fields]) => fields);
  const recovery = { archive, recorder, finisher, clock, log, limits, isAnswered: () => true, onEnded: () => {} };
  return { capture, archive, recorder, finisher, recovery, received, updates, discards };
}

const unknown = () => ({ ...callOf(), provisional: true });

describe('a new call', () => {
  test('declined: no port, no directory, the status of the rule', async () => {
    const { recorder, capture } = build([
      { when: { caller: 'alice' }, do: 'decline', status: 403, because: 'private' },
    ]);
    await expect(recorder.start(startRequest())).rejects.toMatchObject({
      code: 'DECLINED_BY_RULE',
      status: 403,
      message: expect.stringContaining('Rule 1: private'),
    });
    expect(capture.sessions).toEqual([]);
    expect(recorder.activeRecordings).toBe(0);
  });

  test('discarded: answered, no media and no SIP taken, nothing left but a counted line', async () => {
    const { recorder, finisher, capture, archive, received, discards } = build([
      { do: 'discard', because: 'test line' },
    ]);
    for (const count of [1, 2]) {
      const recording = await recorder.start(startRequest());
      expect(received()).toEqual([false, false]);
      expect([...recording.unwanted()]).toEqual([
        ['0', 'discarded'],
        ['1', 'discarded'],
      ]);
      recording.journalSip({ message: Buffer.from('INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n') } as never);
      expect(capture.sessions[0]?.sip).toEqual([]);
      await recording.stop('ended');
      await finisher.idle();
      expect(archive.discarded).toHaveLength(count);
      expect(discards().at(-1)).toEqual({ rule: 1, because: 'test line', discarded: count });
    }
    expect(archive.filed).toEqual([]);
  });

  test('mod_oreka calls obey the same rules', async () => {
    const { recorder } = build([{ when: { source: 'oreka' }, do: 'decline' }]);
    await expect(recorder.start(startRequest({ source: 'oreka' }))).rejects.toMatchObject({ status: 603 });
    await expect(recorder.start(startRequest())).resolves.toBeTruthy();
  });

  test('recorded: rule, days, tags and name stand in recording.json', async () => {
    const { recorder, finisher, archive } = build([
      {
        when: { caller: 'alice' },
        do: 'record',
        keepDays: 30,
        tags: ['sales'],
        name: 'sales-{caller}',
        because: 'law',
      },
    ]);
    await (await recorder.start(startRequest())).stop('ended');
    await finisher.idle();
    const [document] = archive.filed;
    expect(document).toMatchObject({
      rule: { number: 1, because: 'law', name: 'sales-{caller}' },
      retention: { keepDays: 30 },
      tags: ['sales'],
    });
    expect(recordingDocument.parse(document)).toEqual(document);
    expect(recordingName(document!.rule!.name!, document!)).toBe('sales-alice');
  });
});

describe('parties that become known later', () => {
  const onlyAlice = [{ when: { caller: 'alice' }, do: 'record', keepDays: 7 }, { do: 'discard' }];

  test('recorded from the start if they are the ones', async () => {
    const { recorder, finisher, archive, received, updates } = build(onlyAlice);
    const recording = await recorder.start(startRequest({ call: unknown() }));
    expect(received()).toEqual([true, true]);
    await recording.update({ call: callOf('alice', 'bob') });
    expect(updates()).toEqual([]);
    await recording.stop('ended');
    await finisher.idle();
    expect(archive.filed[0]?.retention).toEqual({ keepDays: 7 });
  });

  test.each([
    ['discard', [{ when: { caller: 'alice' }, do: 'record' }, { do: 'discard' }]],
    ['decline', [{ when: { participant: 'eve' }, do: 'decline' }]],
  ])('%s: media stops at once, and all of it is gone at the end', async (_, list) => {
    const { recorder, finisher, archive, received, updates, discards } = build(list);
    const recording = await recorder.start(startRequest({ call: unknown() }));
    expect(received()).toEqual([true, true]);
    await recording.update({ call: callOf('eve', 'bob') });
    expect(updates()).toEqual([false, false]);
    await recording.stop('ended');
    await finisher.idle();
    expect(archive.filed).toEqual([]);
    expect(archive.discarded).toEqual([recording.id]);
    expect(discards()).toHaveLength(1);
  });

  test('never known: the rule that needs no party decides at the end', async () => {
    const { recorder, finisher, archive } = build(onlyAlice);
    await (await recorder.start(startRequest({ call: unknown() }))).stop('ended');
    await finisher.idle();
    expect(archive.filed).toEqual([]);
    expect(archive.discarded).toHaveLength(1);
  });

  test('a dummy party first: what is discarded is recorded from the moment the real one is told', async () => {
    const { recorder, finisher, archive, received, updates } = build(onlyAlice);
    const recording = await recorder.start(startRequest({ call: callOf('dummy') }));
    expect(received()).toEqual([false, false]);
    await recording.update({ call: callOf('alice', 'bob') });
    expect(updates()).toEqual([true, true]);
    await recording.stop('ended');
    await finisher.idle();
    const timeline = archive.filed[0]?.timeline.filter(({ type }) => type === 'paused' || type === 'resumed');
    expect(timeline?.map(({ type, by }) => `${type} ${by}`)).toEqual([
      'paused rule:2',
      'paused rule:2',
      'resumed rule:1',
      'resumed rule:1',
    ]);
  });

  test("a person's resume does not let through what a rule discards", async () => {
    const { recorder, updates } = build([{ do: 'discard' }]);
    const { id } = await recorder.start(startRequest());
    await recorder.resume(id, { target: { scope: 'call' }, by: 'cli', reason: null });
    expect(updates()).toEqual([]);
  });

  test('a restart in between does not keep a discarded call', async () => {
    const { recorder, finisher, archive, capture, recovery } = build([{ do: 'discard' }]);
    await recorder.start(startRequest());
    const { resumed } = await recoverSessions([structuredClone(archive.saved.at(-1)!)], recovery);
    expect(capture.sessions.at(-1)?.restored.map(({ receiving }) => receiving)).toEqual([false, false]);
    await resumed[0]!.recording.stop('ended');
    await finisher.idle();
    expect(archive.filed).toEqual([]);
    expect(archive.discarded).toHaveLength(1);
  });
});
