// `sipreel show`: one recording on a page.
import { parseArgs } from 'node:util';
import type { RecordedParticipant, RecordedStream, RecordingDocument, TimelineEvent } from '../recording/document.ts';
import type { LibraryRecording } from '../recording/library.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { findRecording, withLibrary } from './local-library.ts';
import { channelName, describeQuality, formatDuration, printable } from './show-recording.ts';

export const SHOW_USAGE = `sipreel show ID [--json] [--data DIR] [--config FILE]

One recording: who, when, how well it was heard, what happened, where its files are. ID may be the beginning of one.
With --json its recording.json, with its directory and its annotations.`;

export async function show(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, data: { type: 'string' }, config: { type: 'string' } },
  });
  const [id, ...rest] = positionals;
  if (id === undefined || rest.length > 0) {
    console.error(SHOW_USAGE);
    return EXIT_USAGE;
  }
  return withLibrary(values, async (local) => {
    const recording = await findRecording(local, id);
    const { directory, document, annotations } = recording;
    console.log(values.json ? JSON.stringify({ directory, ...document, annotations }) : page(recording));
    return EXIT_OK;
  });
}

/** For people; each line on its own. */
export function page({ document, annotations, directory }: LibraryRecording): string {
  const { times, call, participants, streams, timeline, warnings, files } = document;
  const lines = [
    `${document.id}  ${document.source}, ${document.state}, ${document.endReason}`,
    `${readable(times.start)} UTC, ${formatDuration(times.durationMs)} of audio`,
    `Heard: ${document.source === 'import' ? 'handed in as a file' : describeQuality(document)}`,
    ...identifiers(call),
    ...section('Parties', participants.map(partyLine)),
    ...section('Streams', streams.map(streamLine)),
    ...section(
      'Timeline',
      timeline.map((event) => eventLine(event, participants)),
    ),
    ...section(
      'Warnings',
      warnings.map(({ code, message }) => `${code}: ${message}`),
    ),
    ...section('Tags', annotations.tags.length > 0 ? [annotations.tags.join(', ')] : []),
    ...section(
      'Notes',
      annotations.notes.map((note) => `${note.by}: ${note.text}`),
    ),
    ...section('Legal hold', annotations.hold ? [`by ${annotations.hold.by}: ${annotations.hold.reason ?? ''}`] : []),
    ...section(
      'Files',
      files.map(({ name, octets }) => `${name}  ${octets} octets`),
    ),
  ];
  lines.push(directory === null ? '  They are on another recorder.' : `  in ${directory}`);
  return lines.map(printable).join('\n');
}

const section = (title: string, lines: string[]) =>
  lines.length === 0 ? [] : ['', title, ...lines.map((one) => `  ${one}`)];

const readable = (time: string) => time.replace('T', ' ').replace('Z', '');

function identifiers({ sipCallId, groupId, peer }: RecordingDocument['call']): string[] {
  return [
    ...(sipCallId === '' ? [] : [`Call: ${sipCallId}`]),
    ...(groupId === null ? [] : [`Group: ${groupId}`]),
    ...(peer === null ? [] : [`From: ${peer}`]),
  ];
}

function partyLine({ aor, name, role, channel, rule }: RecordedParticipant): string {
  const who = name !== null && aor !== null ? `${name} <${aor}>` : (name ?? aor ?? 'unknown');
  return `${(channel === null ? '-' : channelName(channel)).padEnd(6)} ${role.padEnd(7)} ${who}  (${rule})`;
}

function streamLine(stream: RecordedStream): string {
  const { channel, label, codecs, packets, lost, jitterMs, rendered } = stream;
  const head = `${channelName(channel).padEnd(6)} label ${label ?? '-'}, ${codecs.join(', ') || 'no codec seen'}`;
  if (packets === 0) return `${head}: nothing received`;
  const percent = ((100 * lost) / (packets + lost)).toFixed(lost > 0 ? 2 : 0);
  const heard = rendered ? '' : ', not in the audio';
  return `${head}: ${packets} packets, ${percent} % lost, jitter ${jitterMs.toFixed(1)} ms${heard}`;
}

function eventLine(event: TimelineEvent, participants: RecordedParticipant[]): string {
  const { type, offsetMs, durationMs, streamId, participantId, digit, by, reason, cause, detail } = event;
  const party = participants.find(({ id }) => id === participantId);
  const words = [
    digit,
    party?.name ?? party?.aor ?? participantId,
    streamId,
    durationMs === undefined ? undefined : `${formatDuration(durationMs)} long`,
    cause,
    by && `by ${by}`,
    reason,
    detail,
  ];
  const at = `${offsetMs < 0 ? '-' : ''}${formatDuration(Math.abs(offsetMs))}`;
  return [at.padStart(8), type, ...words.filter((word) => typeof word === 'string' && word !== '')].join('  ');
}
