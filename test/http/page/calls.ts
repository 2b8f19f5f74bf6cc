// What the page is shown: recordings with real audio and hostile names, and a running call that goes on by itself.
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { fileRecording } from '../../../src/archive/filing.ts';
import type { LiveRecordingView, RecordingControl } from '../../../src/recording/control.ts';
import type { RecordedStream, RecordingDocument } from '../../../src/recording/document.ts';
import { exampleDocument } from '../../archive/example-document.ts';
import { recordingId } from '../../archive/library-suite.ts';
import { jobIn, journalOf, START_MS, talk, tone } from '../../support/synthetic-journal.ts';
import { fakeControl, liveView } from '../fake-control.ts';

export const HOSTILE = '<img src=x onerror="document.title=\'broken in\'">';
const RATE_HZ = 8_000;

function party(name: string, aor: string, role: 'caller' | 'callee') {
  return { id: role, name, aor, role, channel: role === 'caller' ? 0 : 1, rule: 'test' } as const;
}

function stream(id: string, participantId: string, channel: number, packets: number, lost = 0): RecordedStream {
  return {
    id,
    label: id,
    participantId,
    channel,
    rule: 'test',
    codecs: ['PCMU/8000'],
    ssrcs: [1],
    sources: ['192.0.2.1:4000'],
    rendered: packets > 0,
    packets,
    octets: 160 * packets,
    lost,
    duplicate: 0,
    late: 0,
    reordered: 0,
    undecodable: 0,
    jitterMs: 1,
    driftPpm: null,
    rtcpPackets: 0,
    firstPacket: null,
    lastPacket: null,
    drops: {},
  };
}

const at = (day: number, durationMs: number): RecordingDocument['times'] => ({
  start: `2026-03-0${day}T10:00:00.000Z`,
  end: `2026-03-0${day}T10:01:00.000Z`,
  audioStart: `2026-03-0${day}T10:00:00.000Z`,
  statedStart: null,
  durationMs,
});

/** Newest first: Erika with everything in its timeline, one with a hostile name everywhere, one that was silent. */
export async function fileCalls(dataDirectory: string): Promise<void> {
  const event = (type: RecordingDocument['timeline'][number]['type'], offsetMs: number, more = {}) => ({
    type,
    offsetMs,
    time: '2026-03-03T10:00:01.000Z',
    ...more,
  });
  await file(dataDirectory, {
    id: recordingId(3),
    times: at(3, 20_000),
    participants: [
      party('Erika Mustermann', 'sip:+4930123456@example.com', 'caller'),
      party('Bob', 'sip:2002@example.com', 'callee'),
    ],
    streams: [stream('s0', 'caller', 0, 1_000), stream('s1', 'callee', 1, 979, 21)],
    timeline: [
      event('started', 0),
      event('dtmf', 2_000, { channel: 0, digit: '5' }),
      event('hold', 4_000, { streamId: 's1', channel: 1 }),
      event('resume', 7_000, { streamId: 's1', channel: 1 }),
      event('paused', 9_000, { streamId: 's0', by: 'api:desk', reason: 'card' }),
      event('resumed', 11_000, { streamId: 's0', by: 'api:desk' }),
      event('gap', 14_000, { channel: 1, durationMs: 1_500 }),
      event('left', 18_000, { participantId: 'callee' }),
      event('ended', 20_000),
    ],
    warnings: [{ code: 'label-missing', message: 'A stream has no label.' }],
    headers: [{ name: 'X-Tenant', value: 'north' }],
    metadata: [
      { received: '2026-03-03T10:00:00.000Z', contentType: 'application/rs-metadata+xml', text: '<recording/>' },
    ],
  });
  await file(dataDirectory, {
    id: recordingId(2),
    times: at(2, 3_000),
    participants: [
      party(HOSTILE, `sip:${HOSTILE}@example.com`, 'caller'),
      party('Carol', 'sip:3@example.com', 'callee'),
    ],
    streams: [stream('s0', 'caller', 0, 150), stream('s1', 'callee', 1, 0)],
    headers: [{ name: HOSTILE, value: HOSTILE }],
    warnings: [{ code: HOSTILE, message: HOSTILE }],
    metadata: [{ received: '2026-03-02T10:00:00.000Z', contentType: HOSTILE, text: HOSTILE }],
    call: { ...exampleDocument().call, groupId: HOSTILE, vendor: { [HOSTILE]: HOSTILE } },
  });
  await file(dataDirectory, { id: recordingId(1), times: at(1, 0), state: 'empty', audio: null });
}

async function file(dataDirectory: string, over: Partial<RecordingDocument>): Promise<void> {
  const wav = tones(over.times!.durationMs);
  const sha256 = createHash('sha256').update(wav).digest('hex');
  const files: RecordingDocument['files'] = [{ name: 'audio.wav', role: 'audio', octets: wav.length, sha256 }];
  const document = exampleDocument({ files: over.audio === null ? [] : files, ...over });
  const spool = join(dataDirectory, 'spool', document.id);
  await mkdir(spool, { recursive: true });
  await writeFile(join(spool, 'audio.wav'), wav);
  await fileRecording(spool, document, {
    root: join(dataDirectory, 'recordings'),
    nameTemplate: '{start}_{id}',
    journal: 'always',
  });
}

/** 440 Hz left, 880 Hz right. */
function tones(durationMs: number): Buffer {
  const frames = (durationMs * RATE_HZ) / 1000;
  const wav = Buffer.alloc(44 + 4 * frames);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(RATE_HZ, 24);
  wav.writeUInt32LE(4 * RATE_HZ, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(4 * frames, 40);
  for (let i = 0; i < frames; i++) {
    for (const [side, hz] of [440, 880].entries()) {
      wav.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * hz * i) / RATE_HZ)), 44 + 4 * i + 2 * side);
    }
  }
  return wav;
}

/** A call that "runs": its journal grows by itself until `end`, and orders are kept. */
export class RunningCall {
  readonly orders: string[] = [];
  readonly control: RecordingControl;
  readonly #views: LiveRecordingView[] = [];
  readonly #directory: string;
  #growing: NodeJS.Timeout | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    onTestFinished(() => this.end());
    const order = (name: string) => async () => {
      this.orders.push(name);
      for (const view of this.#views) view.paused = name === 'pause';
      if (name === 'stop') this.end();
    };
    this.control = {
      ...fakeControl(this.#views),
      pause: order('pause'),
      resume: order('resume'),
      stop: order('stop'),
      media: () => (this.#views.length > 0 ? jobIn(directory, [{ streamId: 's0' }, { streamId: 's1' }]) : null),
    };
  }

  begin(): void {
    const view = liveView(recordingId(50), 'sip:4711@example.com');
    view.startMs = Date.now();
    view.call.participants[0]!.name = HOSTILE;
    this.#views.push(view);
    let told = Date.now() - START_MS;
    const first = told;
    const grow = () => {
      const now = told + 20 * Math.floor((Date.now() - START_MS - told) / 20);
      if (now === told) return;
      const packets = ['s0', 's1'].flatMap((streamId, side) =>
        talk({ streamId, fromMs: told, toMs: now, signal: tone(440 * (side + 1)), firstRtpTime: 8 * (told - first) }),
      );
      appendFileSync(join(this.#directory, 'capture.pcapng'), journalOf(packets));
      told = now;
    };
    this.#growing = setInterval(grow, 200);
    appendFileSync(join(this.#directory, 'capture.pcapng'), journalOf([]));
  }

  /** Idempotent. */
  end(): void {
    clearInterval(this.#growing);
    this.#views.length = 0;
  }
}
