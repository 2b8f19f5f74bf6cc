// Our pauses beside the client's hold: one order at a time, and any sequence of orders and changes against a simple model.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import type { ControlTarget } from '../../src/recording/control.ts';
import { Finisher } from '../../src/recording/finisher.ts';
import { LiveRecorder } from '../../src/recording/recorder.ts';
import type { SessionEvent } from '../../src/recording/session-state.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { callOf, FakeArchive, FakeCapture, FakeRender, offered, startRequest } from './fakes.ts';

function build() {
  const clock = new ManualClock();
  const capture = new FakeCapture();
  const archive = new FakeArchive();
  const render = new FakeRender();
  const audio = { layout: 'stereo' as const, sampleRateHz: null };
  const parts = { render, archive, clock, log: silentLog, audio, concurrency: 1, onFiled: () => {} };
  const finisher = new Finisher(parts);
  const limits = {
    maxRecordings: 3,
    floorMiB: 512,
    floorPercent: 1,
    reservePerRecordingMiB: 10,
    inactivityMs: 60_000,
    holdInactivityMs: 600_000,
    maxDurationMs: 3_600_000,
  };
  const recorder = new LiveRecorder({ capture, archive, finisher, clock, log: silentLog, limits });
  return { clock, capture, archive, render, finisher, recorder };
}

const order = (target: ControlTarget, reason: string | null = null) => ({ target, by: 'api:desk', reason });
const call: ControlTarget = { scope: 'call' };
const stream = (streamId: string): ControlTarget => ({ scope: 'stream', streamId });
const party = (participantId: string): ControlTarget => ({ scope: 'party', participantId });

/** What the capture core was told last of a stream. */
function taken(capture: FakeCapture, streamId: string): boolean | undefined {
  const session = capture.sessions.at(-1)!;
  const told = session.updates.findLast((update) => update.streamId === streamId && update.receiving !== undefined);
  return told ? told.receiving : session.streams.find((spec) => spec.streamId === streamId)?.receiving;
}

async function running() {
  const parts = build();
  let asked = 0;
  const recording = await parts.recorder.start(startRequest({ onUnwantedChanged: () => asked++ }));
  const events = () => parts.archive.saved.at(-1)!.events.filter(({ type }) => type === 'paused' || type === 'resumed');
  const received = () => ['s0', 's1'].map((streamId) => taken(parts.capture, streamId));
  return { ...parts, recording, events, received, asked: () => asked };
}

describe('one order', () => {
  test.each<[string, ControlTarget, [boolean, boolean]]>([
    ['the call', call, [false, false]],
    ['a stream', stream('s1'), [true, false]],
    ['a party', party('alice'), [false, true]],
  ])('pauses %s, and resumes it', async (_, target, expected) => {
    const { recorder, recording, received, events, asked, clock } = await running();
    await recorder.pause(recording.id, order(target, 'card number'));
    expect(received()).toEqual(expected);
    const paused = ['s0', 's1'].filter((_id, index) => !expected[index]);
    expect(events()).toEqual(
      paused.map((streamId) => ({
        type: 'paused',
        atMs: clock.nowMs(),
        streamId,
        by: 'api:desk',
        reason: 'card number',
      })),
    );
    expect([...recording.unwanted().keys()]).toEqual(paused.map((streamId) => streamId.slice(1)));
    expect(recorder.live()[0]).toMatchObject({ paused: paused.length === 2 });
    expect(asked()).toBe(1);

    await recorder.resume(recording.id, order(target));
    expect(received()).toEqual([true, true]);
    expect(events().map(({ type }) => type)).toEqual([...paused.map(() => 'paused'), ...paused.map(() => 'resumed')]);
    expect(recording.unwanted().size).toBe(0);
    expect(asked()).toBe(2);
  });

  test('a second order for the same target changes nothing, whoever gives it', async () => {
    const { recorder, recording, events, archive } = await running();
    await recorder.pause(recording.id, order(call, 'first'));
    await recorder.pause(recording.id, { target: call, by: 'cli', reason: 'second' });
    expect(events()).toHaveLength(2);
    expect(archive.saved.at(-1)?.pauses).toMatchObject([{ by: 'api:desk', reason: 'first' }]);
    await recorder.resume(recording.id, order(call));
    await recorder.resume(recording.id, order(call));
    expect(events()).toHaveLength(4);
  });

  test('what is paused as a whole is not let through by resuming a part', async () => {
    const { recorder, recording, received } = await running();
    await recorder.pause(recording.id, order(stream('s0')));
    await recorder.pause(recording.id, order(call));
    await recorder.resume(recording.id, order(stream('s0')));
    expect(received()).toEqual([false, false]);
    await recorder.resume(recording.id, order(call));
    expect(received()).toEqual([true, true]);
  });

  test('hold and pause overlap: media comes when both are over', async () => {
    const { recorder, recording, received } = await running();
    await recording.update({ streams: [offered('0', false), offered('1')] });
    await recorder.pause(recording.id, order(call));
    await recording.update({ streams: [offered('0', true), offered('1')] });
    expect(received()).toEqual([false, false]);
    await recording.update({ streams: [offered('0', true), offered('1', false)] });
    await recorder.resume(recording.id, order(call));
    expect(received()).toEqual([true, false]);
  });

  test('a stream that is added while the call is paused is bound without being heard', async () => {
    const { recorder, recording, capture, events } = await running();
    await recorder.pause(recording.id, order(call));
    await recording.update({ streams: [offered('0'), offered('1'), offered('2')] });
    expect(capture.sessions[0]?.streams[2]).toMatchObject({ streamId: 's2', receiving: false });
    expect(events().at(-1)).toMatchObject({ type: 'paused', streamId: 's2', by: 'api:desk' });
    await recorder.resume(recording.id, order(call));
    expect(taken(capture, 's2')).toBe(true);
  });

  test('a stream of nobody known is paused with every party', async () => {
    const { recorder, capture } = build();
    const { id } = await recorder.start(
      startRequest({ call: callOf('alice', 'bob'), streams: [offered('mixed')], source: 'oreka' }),
    );
    await recorder.pause(id, order(party('bob')));
    expect(taken(capture, 's0')).toBe(false);
  });

  test('orders for what is not there', async () => {
    const { recorder, recording } = await running();
    await expect(recorder.pause('nobody', order(call))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(recorder.pause(recording.id, order(stream('s7')))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(recorder.resume(recording.id, order(party('eve')))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const stopping = recording.stop('ended');
    await expect(recorder.pause(recording.id, order(call))).rejects.toMatchObject({ code: 'RECORDING_ENDED' });
    await stopping;
    await expect(recorder.stop(recording.id, { by: 'cli', reason: null })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('stop seals, says who wanted it, and tells the door', async () => {
    const { recorder, archive } = build();
    const ended: string[] = [];
    const { id } = await recorder.start(startRequest({ onEnded: (reason) => ended.push(reason) }));
    await recorder.stop(id, { by: 'api:desk', reason: 'caller objected' });
    expect(ended).toEqual(['stopped']);
    expect(archive.saved.at(-1)?.events.at(-1)).toMatchObject({
      type: 'ended',
      detail: 'stopped by api:desk: caller objected',
    });
  });

  test('the journal keeps no INFO while something is paused', async () => {
    const { recorder, recording, capture } = await running();
    const sip = (method: string) => ({
      timeMs: 0,
      direction: 'received' as const,
      transport: 'udp' as const,
      local: { host: '127.0.0.1', port: 5060 },
      remote: { host: '127.0.0.1', port: 5061 },
      message: Buffer.from(`${method} sip:x SIP/2.0\r\nCSeq: 7 ${method}\r\n\r\nSignal=5`),
    });
    const journal = () => capture.sessions[0]!.sip.map(({ message }) => Buffer.from(message).toString().split(' ')[0]);
    recording.journalSip(sip('INFO'));
    await recorder.pause(recording.id, order(stream('s0')));
    for (const method of ['INFO', 'MESSAGE', 'INVITE', 'BYE']) recording.journalSip(sip(method));
    await recorder.resume(recording.id, order(stream('s0')));
    recording.journalSip(sip('INFO'));
    expect(journal()).toEqual(['INFO', 'INVITE', 'BYE', 'INFO']);
  });

  test('a paused call lasts as long as one on hold', async () => {
    const { recorder, recording, clock } = await running();
    await recorder.pause(recording.id, order(call));
    clock.advance(500_000);
    expect(recorder.activeRecordings).toBe(1);
    await recorder.resume(recording.id, order(call));
    clock.advance(61_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.activeRecordings).toBe(0);
  });
});

describe('any sequence', () => {
  type Step = { do: 'pause' | 'resume'; target: ControlTarget } | { do: 'offer'; sending: (boolean | null)[] };
  const target = fc.oneof(
    fc.constant(call),
    fc.constantFrom('s0', 's1').map(stream),
    fc.constantFrom('alice', 'bob').map(party),
  );
  const ordered: fc.Arbitrary<Step> = fc.record({ do: fc.constantFrom('pause', 'resume'), target });
  const offers: fc.Arbitrary<Step> = fc
    .array(fc.constantFrom(true, false, null), { minLength: 2, maxLength: 3 })
    .map((sending) => ({ do: 'offer', sending }));
  const steps = fc.array(fc.oneof(ordered, offers), { maxLength: 20 });

  test('media is taken exactly from streams that send and that no order covers', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const { recorder, recording, capture, archive } = await running();
        const orders = new Set<string>();
        const mark = (each: ControlTarget) => JSON.stringify(each);
        let sending = new Map<string, boolean>([
          ['0', true],
          ['1', true],
        ]);
        for (const step of given) {
          if (step.do === 'offer') {
            sending = new Map(
              step.sending.flatMap((value, key) => (value === null ? [] : [[String(key), value] as const])),
            );
            await recording.update({ streams: [...sending].map(([key, value]) => offered(key, value)) });
          } else {
            await recorder[step.do](recording.id, order(step.target));
            if (step.do === 'pause') orders.add(mark(step.target));
            else if (step.target.scope === 'call') orders.clear();
            else orders.delete(mark(step.target));
          }
          const { streams } = archive.saved.at(-1)!;
          for (const { streamId, key, present, paused } of streams.filter((each) => each.present)) {
            // Key 0 is alice's, 1 is bob's; a third stream is nobody's and may be anybody's.
            const sender = { 0: 'alice', 1: 'bob' }[key];
            const covered =
              orders.has(mark(call)) ||
              orders.has(mark(stream(streamId))) ||
              ['alice', 'bob'].some((each) => orders.has(mark(party(each))) && (sender ?? each) === each);
            expect({ streamId, present, paused: Boolean(paused) }).toEqual({
              streamId,
              present: true,
              paused: covered,
            });
            expect(taken(capture, streamId)).toBe(sending.get(key) === true && !covered);
          }
          expect(new Set(recording.unwanted().keys())).toEqual(
            new Set(streams.filter((each) => each.present && each.paused).map(({ key }) => key)),
          );
        }
        const last = new Map<string, SessionEvent['type']>();
        for (const event of archive.saved.at(-1)?.events ?? []) {
          if (event.type !== 'paused' && event.type !== 'resumed') continue;
          expect(last.get(event.streamId) ?? 'resumed').not.toBe(event.type);
          last.set(event.streamId, event.type);
        }
        await recording.stop('ended');
      }),
      { numRuns: 60 },
    );
  });
});
