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
import { type CapturedSip, keyOfFlow, readCaptured } from './captured.ts';
import { capturedSessions } from './captured-session.ts';
import { rebuildSession } from './rebuild.ts';
import { type MediaChoice, rewriteJournal } from './rewrite.ts';
import { stateOfFlows, stateOfSession } from './state.ts';

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
  const { journalStreams } = captured;
  if (journalStreams.length > 0) {
    const streamOf = new Map(journalStreams.map(({ streamId }) => [streamId, streamId]));
    const choice = { streamOf, fromMs: 0, toMs: Number.POSITIVE_INFINITY };
    const state = { ...rebuildSession(randomUUID(), captured), source: 'import' as const };
    return [await finishCapture(file, state, choice, captured.sip, options)];
  }
  const sessions = capturedSessions(captured.sip);
  const recovered: Recovered[] = [];
  for (const session of sessions) {
    const endMs = session.endMs ?? Number.POSITIVE_INFINITY;
    const choice = { streamOf: session.destinations, fromMs: session.startMs - MARGIN_MS, toMs: endMs + MARGIN_MS };
    recovered.push(await finishCapture(file, stateOfSession(session), choice, session.messages, options));
  }
  if (sessions.length > 0) return recovered;
  const flows = captured.flows.filter(({ consecutive }) => consecutive >= MIN_RTP_PACKETS);
  if (flows.length === 0) throw new Error(`${file} holds no recording session and no RTP.`);
  const streamOf = new Map(flows.map((flow, index) => [keyOfFlow(flow), `s${index}`]));
  const choice = { streamOf, fromMs: 0, toMs: Number.POSITIVE_INFINITY };
  return [await finishCapture(file, stateOfFlows(captured, flows), choice, [], options)];
}

async function finishCapture(
  file: string,
  state: SessionState,
  choice: MediaChoice,
  messages: readonly CapturedSip[],
  options: RecoverOptions,
): Promise<Recovered> {
  mkdirSync(options.output, { recursive: true });
  const journalPath = join(options.output, `${state.recordingId}.pcapng.part`);
  rewriteJournal(file, journalPath, choice, messages);
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
