// Recordings out of what a crash or another program left: a spool directory, a bare journal, a capture of a recorded call.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordingName } from '../archive/names.ts';
import { buildDocument } from '../recording/build-document.ts';
import type { RecordingDocument } from '../recording/document.ts';
import type { RenderEngine } from '../recording/engines.ts';
import { type AudioOptions, renderJob } from '../recording/render-job.ts';
import { SESSION_STATE_VERSION, type SessionState } from '../recording/session-state.ts';
import { STATIC_PAYLOAD_TYPES } from '../rtp/static-payload-types.ts';
import { type Captured, type CapturedFlow, keyOfFlow, readCaptured } from './captured.ts';
import { type CapturedSession, capturedSessions } from './captured-session.ts';
import { type MediaChoice, rewriteJournal } from './rewrite.ts';

export interface RecoverOptions {
  /** Each recording gets a directory in it. */
  output: string;
  nameTemplate: string;
  audio: AudioOptions;
  render: RenderEngine;
}

export interface Recovered {
  directory: string;
  document: RecordingDocument;
}

/** Fewer packets in a row are no stream. */
const MIN_RTP_PACKETS = 10;
/** Media that is on its way when the signalling begins or ends. */
const MARGIN_MS = 5_000;

/** A directory with session.json, one with capture.pcapng, or a pcap or pcapng file. Rejects in words if it is none of these. */
export async function recoverFrom(path: string, options: RecoverOptions): Promise<Recovered[]> {
  const isDirectory = statSync(path).isDirectory();
  const sessionPath = join(path, 'session.json');
  if (isDirectory && existsSync(sessionPath)) {
    const state = JSON.parse(readFileSync(sessionPath, 'utf8')) as SessionState;
    if (state.version !== SESSION_STATE_VERSION) throw new Error(`${sessionPath} is of another version.`);
    const endReason = state.endReason ?? 'interrupted';
    return [await finish({ ...state, phase: 'sealed', endReason, journalPath: join(path, 'capture.pcapng') }, options)];
  }
  const file = isDirectory ? join(path, 'capture.pcapng') : path;
  if (!existsSync(file)) throw new Error(`${path} holds neither session.json nor capture.pcapng.`);
  return recoverCapture(file, options);
}

async function recoverCapture(file: string, options: RecoverOptions): Promise<Recovered[]> {
  const captured = readCaptured(file);
  const sessions = capturedSessions(captured.sip);
  const recovered: Recovered[] = [];
  for (const session of sessions) {
    const endMs = session.endMs ?? Number.POSITIVE_INFINITY;
    const streamOf = new Map(session.destinations);
    // A journal of ours names its streams as the session does: in the order of their appearance.
    for (const { interfaceName } of captured.flows) if (interfaceName) streamOf.set(interfaceName, interfaceName);
    const choice = { streamOf, fromMs: session.startMs - MARGIN_MS, toMs: endMs + MARGIN_MS };
    recovered.push(await finishCapture(file, stateOfSession(session), choice, session, options));
  }
  if (sessions.length > 0) return recovered;
  const flows = captured.flows.filter(({ consecutive }) => consecutive >= MIN_RTP_PACKETS);
  if (flows.length === 0) throw new Error(`${file} holds no recording session and no RTP.`);
  const streamOf = new Map(flows.map((flow, index) => [keyOfFlow(flow), flow.interfaceName ?? `s${index}`]));
  const choice = { streamOf, fromMs: 0, toMs: Number.POSITIVE_INFINITY };
  return [await finishCapture(file, stateOfFlows(captured, flows), choice, null, options)];
}

async function finishCapture(
  file: string,
  state: SessionState,
  choice: MediaChoice,
  session: CapturedSession | null,
  options: RecoverOptions,
): Promise<Recovered> {
  mkdirSync(options.output, { recursive: true });
  const journalPath = join(options.output, `${state.recordingId}.pcapng.part`);
  rewriteJournal(file, journalPath, choice, session?.messages ?? []);
  const recovered = await finish({ ...state, journalPath }, options);
  renameSync(journalPath, join(recovered.directory, 'capture.pcapng'));
  return recovered;
}

async function finish(
  state: SessionState,
  { output, nameTemplate, audio, render }: RecoverOptions,
): Promise<Recovered> {
  const aside = join(output, `${state.recordingId}.part`);
  mkdirSync(aside, { recursive: true });
  const placed = { ...state, audioPath: join(aside, 'audio.wav') };
  const { job, attribution } = renderJob(placed, audio);
  const document = buildDocument(placed, attribution, { result: await render.render(job) }, audio.layout);
  writeFileSync(join(aside, 'recording.json'), `${JSON.stringify(document, null, 2)}\n`);
  const name = recordingName(nameTemplate, document);
  let directory = join(output, name);
  for (let number = 2; existsSync(directory); number++) directory = join(output, `${name}_${number}`);
  renameSync(aside, directory);
  return { directory, document };
}

function stateOfSession(session: CapturedSession): SessionState {
  const { startMs, endMs, call, streams, events, metadata, warnings, peer } = session;
  return {
    ...emptyState(startMs),
    endReason: endMs === null ? 'interrupted' : 'ended',
    endMs,
    call,
    streams,
    events: [
      { type: 'started', atMs: startMs },
      ...events,
      ...(endMs === null ? [] : [{ type: 'ended' as const, atMs: endMs }]),
    ],
    metadata,
    warnings,
    peer,
  };
}

/** Without signalling: each flow is a stream, and nobody knows whose. */
function stateOfFlows({ truncated }: Captured, flows: CapturedFlow[]): SessionState {
  const warnings = [
    { code: 'signalling-missing', message: 'The capture has no SIP: streams were found by their RTP alone.' },
  ];
  if (truncated) warnings.push({ code: 'capture-truncated', message: 'Parts of the capture could not be read.' });
  return {
    ...emptyState(Math.min(...flows.map(({ firstMs }) => firstMs))),
    endReason: 'interrupted',
    streams: flows.map(({ destination: { port }, interfaceName, payloadTypes }, index) => ({
      streamId: interfaceName ?? `s${index}`,
      key: String(index),
      label: null,
      formats: [...payloadTypes.keys()].flatMap((payloadType) => {
        const known = STATIC_PAYLOAD_TYPES.get(payloadType);
        return known ? [{ ...known, fmtp: null }] : [];
      }),
      receiving: true,
      address: { rtpPort: port, rtcpPort: port + 1 },
      present: true,
    })),
    warnings,
  };
}

function emptyState(startMs: number): SessionState {
  return {
    version: SESSION_STATE_VERSION,
    recordingId: randomUUID(),
    source: 'import',
    phase: 'sealed',
    endReason: 'ended',
    directory: '',
    journalPath: '',
    audioPath: '',
    startMs,
    endMs: null,
    startWallMs: startMs,
    clock: null,
    call: {
      participants: [],
      identifiers: { sipCallId: '', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
      statedStartMs: null,
      extraHeaders: [],
    },
    streams: [],
    events: [],
    metadata: [],
    warnings: [],
    peer: null,
    statistics: null,
    door: null,
  };
}
