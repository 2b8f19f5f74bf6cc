// recording.json of a recording that somebody else made and handed in. What was not said is null, and what was guessed says so.
import { createHash } from 'node:crypto';
import { RECORDING_DOCUMENT_VERSION, type RecordedParticipant, type RecordingDocument } from './document.ts';

/** What is known of the call, from whoever hands it in. */
export interface ImportedCall {
  caller: string | null;
  callee: string | null;
  callerName: string | null;
  calleeName: string | null;
  /** Unix ms. */
  startMs: number | null;
  /** Whether the start is only what the file's name says. */
  startFromName: boolean;
  /** Whether the parties are only what the file's name says. */
  partiesFromName: boolean;
  callId: string | null;
  group: string | null;
  tags: string[];
  /** Who is in which channel of a stereo file; null if nobody said it. */
  channels: 'caller-left' | 'callee-left' | null;
  /** Identifiers and facts of the system that made it: `uniqueid`, `direction`, `fileName`. */
  vendor: Record<string, string>;
  headers: { name: string; value: string }[];
  /** Everything that was said, as text. */
  metadata: string;
}

export interface ImportedAudio {
  octets: number;
  sha256: string;
  /** False: it is kept, but nothing here can decode it. */
  decodable: boolean;
  coding: string;
  sampleRateHz: number;
  channels: number;
  durationMs: number;
}

/** The same content for the same call has the same id, so that handing it in twice makes one recording. (UUID version 8, RFC 9562 §5.8.) */
export function importedRecordingId(sha256: string, callId: string | null): string {
  const digest = createHash('sha256')
    .update(`${sha256}\n${callId ?? ''}`)
    .digest();
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What tells the call from others with the same audio: its call id, or else the id that the PBX gave it. */
export function callKey({ callId, vendor }: ImportedCall): string | null {
  return callId ?? vendor.uniqueid ?? null;
}

/** @param arrivedMs when it was handed in, Unix ms: it ended by then; @param peer the address that it came from */
export function importDocument(
  call: ImportedCall,
  audio: ImportedAudio,
  { arrivedMs, peer }: { arrivedMs: number; peer: string },
): RecordingDocument {
  const startMs = call.startMs ?? Math.round(arrivedMs - audio.durationMs);
  const start = new Date(startMs).toISOString();
  const end = new Date(Math.round(startMs + audio.durationMs)).toISOString();
  const durationMs = Math.round(audio.durationMs * 1000) / 1000;
  return {
    version: RECORDING_DOCUMENT_VERSION,
    id: importedRecordingId(audio.sha256, callKey(call)),
    source: 'import',
    state: 'finished',
    endReason: 'ended',
    times: {
      start,
      end,
      audioStart: start,
      statedStart: call.startMs === null ? null : start,
      durationMs,
    },
    call: {
      sipCallId: call.callId ?? '',
      communicationSessionId: null,
      sipSessionIds: [],
      groupId: call.group,
      continues: null,
      vendor: call.vendor,
      peer,
    },
    sessions: [],
    participants: participants(call, audio.channels),
    streams: [],
    audio: { sampleRateHz: audio.sampleRateHz, channels: audio.channels, layout: layoutOf(call, audio.channels) },
    timeline: [
      { type: 'started', offsetMs: 0, time: start },
      { type: 'ended', offsetMs: durationMs, time: end },
    ],
    warnings: warnings(call, audio),
    files: [{ name: 'audio.wav', role: 'audio', octets: audio.octets, sha256: audio.sha256 }],
    ...(call.tags.length > 0 && { tags: call.tags }),
    headers: call.headers,
    metadata: [{ received: new Date(arrivedMs).toISOString(), contentType: 'application/json', text: call.metadata }],
  };
}

function participants(call: ImportedCall, channels: number): RecordedParticipant[] {
  const source = call.partiesFromName ? 'import-file-name' : 'import-stated';
  const told = channels === 2 && call.channels !== null;
  const rule =
    channels === 1 ? `${source}, mixed` : told ? `${source}, ${call.channels}` : `${source}, channel unknown`;
  const channelOf = (role: 'caller' | 'callee') => {
    if (channels === 1) return 0;
    if (!told) return null;
    return (role === 'caller') === (call.channels === 'caller-left') ? 0 : 1;
  };
  const parties = [
    { id: 'caller', role: 'caller' as const, aor: call.caller, name: call.callerName },
    { id: 'callee', role: 'callee' as const, aor: call.callee, name: call.calleeName },
  ];
  return parties
    .filter(({ aor, name }) => aor !== null || name !== null)
    .map((party) => ({ ...party, channel: channelOf(party.role), rule }));
}

function layoutOf({ channels: order }: ImportedCall, channels: number): 'caller-callee' | 'per-party' | 'mono' {
  if (channels === 1) return 'mono';
  return channels === 2 && order === 'caller-left' ? 'caller-callee' : 'per-party';
}

function warnings(call: ImportedCall, audio: ImportedAudio): RecordingDocument['warnings'] {
  const found: RecordingDocument['warnings'] = [];
  const warn = (code: string, message: string) => void found.push({ code, message });
  if (audio.channels === 1) warn('mixed-audio', 'It was handed in as one channel: the parties cannot be told apart.');
  else if (audio.channels > 2 || call.channels === null)
    warn('channels-unknown', 'Nobody said which party is in which channel.');
  if (call.startMs === null) warn('start-unknown', 'Nobody said when it began: counted back from its arrival.');
  else if (call.startFromName) warn('start-from-name', "The start is what the file's name says.");
  if (!audio.decodable)
    warn('not-decodable', `The audio is ${audio.coding}: kept as it came, but nothing here can decode it.`);
  return found;
}
