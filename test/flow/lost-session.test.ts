// After a power loss session.json may be empty, zeros, torn, gone, or as it was some time ago: the journal has what counts.
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { Finisher } from '../../src/recording/finisher.ts';
import { RecordingRules } from '../../src/recording/rules.ts';
import type { SessionState } from '../../src/recording/session-state.ts';
import { journalledSessions } from '../../src/recover/rebuild.ts';
import { createRenderer } from '../../src/render/renderer.ts';
import { readWav } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { serve } from './serve-process.ts';

const rules = new RecordingRules([
  { when: { caller: ['alice'] }, do: 'record', keepDays: 30, name: null, tags: ['kept'], because: null, status: null },
]);

const render = createRenderer({ log: silentLog, concurrency: 1 });
afterAll(() => render.close());

/** What the next start makes of the data directory, once nothing goes on any more. */
async function finished(
  data: string,
): Promise<{ document: RecordingDocument; rebuilt: boolean; samples: Int16Array[] }> {
  const archive = createArchive({
    spoolDirectory: data,
    archiveDirectory: data,
    nameTemplate: '{id}',
    journal: 'always',
    journalled: journalledSessions(rules),
    log: silentLog,
  });
  await archive.prepare();
  const [state, ...others] = await archive.unfinishedSessions();
  expect(others).toEqual([]);
  const filed = await new Promise<{ document: RecordingDocument; directory: string }>((resolve) => {
    const audio = { layout: 'stereo' as const, sampleRateHz: null };
    const parts = { render, archive, clock: systemClock, log: silentLog, audio, rules, concurrency: 1 };
    const finisher = new Finisher({ ...parts, onFiled: resolve });
    finisher.finish({ ...state!, phase: 'sealed', endReason: state!.endReason ?? 'interrupted' });
  });
  expect(await readdir(join(data, 'spool'))).toEqual([]);
  const { document } = filed;
  const rebuilt = document.warnings.some(({ code }) => code === 'session-rebuilt');
  return { document, rebuilt, samples: readWav(join(filed.directory, 'audio.wav')).channels };
}

const essence = ({ id, call, participants, streams, audio, rule, retention, tags }: RecordingDocument) => ({
  id,
  call,
  participants,
  streams: streams.map(({ id, label, channel, codecs, packets, lost }) => ({
    id,
    label,
    channel,
    codecs,
    packets,
    lost,
  })),
  audio,
  rule,
  retention,
  tags,
});

const holds = ({ timeline }: RecordingDocument) =>
  timeline.filter(({ type }) => type === 'hold' || type === 'resume').map(({ type, streamId }) => [type, streamId]);

test('parties, labels, channels, times and audio as with a whole session.json', { timeout: 60_000 }, async () => {
  const directory = await temporaryDirectory();
  const data = join(directory, 'crashed');
  const config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    JSON.stringify({ rules: { list: [{ when: { caller: ['alice'] }, do: 'record', keepDays: 30, tags: ['kept'] }] } }),
  );
  const server = serve(data, '--config', config);
  const client = await testClient();
  const session = await client.connect(toneCall(await server.sipPort('udp')));
  await sleep(700);
  await session.hold('1');
  await sleep(300);
  await session.resume('1');
  await sleep(700);
  server.kill('SIGKILL');
  await server.exited;
  const [recordingId] = await readdir(join(data, 'spool'));

  const change = (changed: (state: SessionState) => object) => (path: string) =>
    writeFileSync(path, JSON.stringify(changed(JSON.parse(readFileSync(path, 'utf8')))));
  // How far the wall clock was from media time is in session.json alone: it would move labels by a fraction of a millisecond.
  change((state) => ({ ...state, startWallMs: state.startMs }))(join(data, 'spool', recordingId!, 'session.json'));

  /** A copy of the crashed directory, its session.json spoiled. */
  const spoiled = async (name: string, spoil: (path: string) => void) => {
    const copy = join(directory, name);
    cpSync(data, copy, { recursive: true });
    spoil(join(copy, 'spool', recordingId!, 'session.json'));
    return finished(copy);
  };
  const otherBoot = { bootId: '0-0', unixMs: 0, monotonicNs: '0' };

  const whole = await spoiled('whole', () => {});
  expect(whole.rebuilt).toBe(false);
  expect(whole.document.participants.map(({ aor, channel }) => [aor, channel])).toEqual([
    ['sip:alice@example.com', 0],
    ['sip:bob@example.com', 1],
  ]);
  expect(holds(whole.document)).toEqual([
    ['hold', 's1'],
    ['resume', 's1'],
  ]);
  expect(whole.document).toMatchObject({ state: 'finished', retention: { keepDays: 30 }, tags: ['kept'] });

  const unspoiled = await spoiled(
    'other-boot',
    change((state) => ({ ...state, clock: otherBoot })),
  );
  expect(unspoiled).toEqual(whole);

  const lost = {
    zeroed: (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length)),
    empty: (path: string) => truncateSync(path, 0),
    torn: (path: string) => truncateSync(path, 1_000),
    gone: (path: string) => rmSync(path),
    old: change((state) => ({
      ...state,
      clock: otherBoot,
      streams: state.streams.slice(0, 1),
      call: { ...state.call, participants: state.call.participants.slice(0, 1) },
      metadata: [],
      events: state.events.filter((event) => !('streamId' in event)),
    })),
  };
  for (const [name, spoil] of Object.entries(lost)) {
    const { document, rebuilt, samples } = await spoiled(name, spoil);
    expect([name, rebuilt]).toEqual([name, true]);
    expect([name, essence(document)]).toEqual([name, essence(whole.document)]);
    expect([name, holds(document)]).toEqual([name, holds(whole.document)]);
    // The same samples: every packet in the same place of the same channel.
    expect(samples).toEqual(whole.samples);
    expect(document.times).toMatchObject({
      audioStart: whole.document.times.audioStart,
      durationMs: whole.document.times.durationMs,
      end: whole.document.times.end,
    });
    const startsMs = [document, whole.document].map(({ times }) => Date.parse(times.start));
    // The INVITE's arrival instead of the recorder's beginning.
    expect(Math.abs(startsMs[0]! - startsMs[1]!)).toBeLessThan(500);
    expect(document.metadata.map(({ text }) => text)).toEqual(whole.document.metadata.map(({ text }) => text));
  }
});
