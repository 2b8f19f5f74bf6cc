// `sipreel live`, `pause`, `resume`, `stop`: the recordings that run now, and orders to them.
import { parseArgs } from 'node:util';
import { RecorderError } from '../lib/errors.ts';
import type { ControlTarget, LiveStreamView } from '../recording/control.ts';
import { addressOf } from '../recording/scope.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { LocalRecorder } from './local-api.ts';
import { configFromFlags } from './serve-options.ts';
import { channelName, formatDuration } from './show-recording.ts';

/** As `GET /api/live` gives it. */
interface LiveRecording {
  recordingId: string;
  startMs: number;
  participants: { participantId: string; aor: string | null; name: string | null }[];
  sipCallId: string;
  streams: LiveStreamView[];
  paused: boolean;
  peer: string | null;
}

const WHERE = `  --data DIR      the running recorder's data directory (./data)
  --config FILE   its configuration`;

const ID = `  ID              the recording's id, its first characters, or the call's SIP Call-ID`;

export const LIVE_USAGE = `sipreel live [--json]

Recordings that run now, newest first.

  --json          one JSON object per line
${WHERE}`;

const PAUSED = `ID [--stream S | --party P] [--reason TEXT]

Records nothing of a call, of one stream or of one party, until resumed: for card numbers. Once it has returned, nothing
more is recorded, whether the client stops sending or not. A pause of something wider is not lifted by a narrower resume.

${ID}
  --stream S      one stream: s0, s1, …
  --party P       one party: its participant id, number or address
  --reason TEXT   stands in the recording's timeline
${WHERE}`;

export const PAUSE_USAGE = `sipreel pause ${PAUSED}`;
export const RESUME_USAGE = `sipreel resume ${PAUSED}`;

export const STOP_USAGE = `sipreel stop ID [--reason TEXT]

Ends a recording; the call goes on.

${ID}
  --reason TEXT   stands in the recording's timeline
${WHERE}`;

const PLACE = { data: { type: 'string' }, config: { type: 'string' } } as const;

export async function live(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { ...PLACE, json: { type: 'boolean', default: false } } });
  const recordings = await running(await recorderOf(values));
  for (const recording of recordings) console.log(values.json ? JSON.stringify(recording) : describe(recording));
  if (recordings.length === 0 && !values.json) console.log('Nothing is being recorded.');
  return EXIT_OK;
}

export const pause = (args: string[]) => order('pause', args);
export const resume = (args: string[]) => order('resume', args);
export const stop = (args: string[]) => order('stop', args);

async function order(action: 'pause' | 'resume' | 'stop', args: string[]): Promise<number> {
  const part = { stream: { type: 'string' }, party: { type: 'string' } } as const;
  const options = { ...PLACE, ...(action === 'stop' ? {} : part), reason: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const { stream, party } = values as { stream?: string; party?: string };
  const [id, ...surplus] = positionals;
  if (id === undefined || surplus.length > 0 || (stream !== undefined && party !== undefined)) {
    console.error(action === 'stop' ? STOP_USAGE : PAUSE_USAGE);
    return EXIT_USAGE;
  }
  const recorder = await recorderOf(values);
  const recording = find(await running(recorder), id);
  const target = action === 'stop' ? {} : { target: targetOf(recording, stream, party) };
  const body = { ...target, reason: values.reason ?? null };
  await recorder.ask('POST', `/api/live/${recording.recordingId}/${action}`, body);
  return EXIT_OK;
}

type Place = { data?: string | undefined; config?: string | undefined };

async function recorderOf({ data, config }: Place): Promise<LocalRecorder> {
  return LocalRecorder.find((await configFromFlags({ data, config })).data);
}

async function running(recorder: LocalRecorder): Promise<LiveRecording[]> {
  return (await recorder.ask<{ items: LiveRecording[] }>('GET', '/api/live')).items;
}

/** Throws NOT_FOUND. */
function find(recordings: LiveRecording[], id: string): LiveRecording {
  const exact = recordings.filter(({ recordingId, sipCallId }) => recordingId === id || sipCallId === id);
  const found = exact.length > 0 ? exact : recordings.filter(({ recordingId }) => recordingId.startsWith(id));
  const ids = found.map(({ recordingId }) => recordingId).join(', ');
  if (found.length > 1) throw new RecorderError('NOT_FOUND', `${id} may be any of ${ids}.`);
  if (!found[0]) throw new RecorderError('NOT_FOUND', `${id} is not running: see sipreel live.`);
  return found[0];
}

/** Throws NOT_FOUND. */
function targetOf(
  { participants, streams }: LiveRecording,
  stream: string | undefined,
  party: string | undefined,
): ControlTarget {
  if (stream !== undefined) {
    if (streams.some(({ streamId }) => streamId === stream)) return { scope: 'stream', streamId: stream };
    const known = streams.map(({ streamId }) => streamId).join(', ');
    throw new RecorderError('NOT_FOUND', `It has no stream ${stream}, but ${known}.`);
  }
  if (party === undefined) return { scope: 'call' };
  const known = participants.find(({ participantId, aor }) => participantId === party || isAddress(aor, party));
  if (known) return { scope: 'party', participantId: known.participantId };
  throw new RecorderError('NOT_FOUND', `It has no party ${party}, but ${participants.map(nameOf).join(', ')}.`);
}

function isAddress(aor: string | null, text: string): boolean {
  if (aor === null) return false;
  const { address, user } = addressOf(aor);
  return [aor, address, user].includes(text);
}

function describe({ recordingId, startMs, participants, sipCallId, streams, paused, peer }: LiveRecording): string {
  const shown = streams.map(({ streamId, channel, receiving, paused: isPaused, packets }) => {
    const state = isPaused ? 'paused' : receiving ? `${packets ?? 0} packets` : 'on hold';
    return `${streamId} ${channel === null ? '' : `${channelName(channel)} `}${state}`;
  });
  return [
    `${recordingId}  ${formatDuration(Date.now() - startMs)}${paused ? '  PAUSED' : ''}  ${participants.map(nameOf).join(', ')}`,
    `    ${shown.join('; ')}`,
    `    ${sipCallId}${peer === null ? '' : ` from ${peer}`}`,
  ].join('\n');
}

function nameOf({ participantId, aor, name }: LiveRecording['participants'][number]): string {
  return name && aor ? `${name} <${aor}>` : (name ?? aor ?? participantId);
}
