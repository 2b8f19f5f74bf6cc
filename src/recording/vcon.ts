// A recording as a vCon, unsigned form, syntax 0.4.0 (draft-ietf-vcon-vcon-core). Nothing stands in it that recording.json does not say.
import type { RecordedParticipant, RecordingDocument, TimelineEvent } from './document.ts';
import { numberOf } from './numbers.ts';

export const VCON_SYNTAX = '0.4.0';
export const VCON_MEDIA_TYPE = 'application/vcon+json';

/** Where the audio is: elsewhere, with its SHA-512 (`sha512-` and base64url), or in the vCon itself. */
export type VconContent = { url: string; content_hash: string } | { body: string; encoding: 'base64url' };

export interface VconParty {
  tel?: string;
  sip?: string;
  name?: string;
  /** How the name was checked: we do not know that it was. */
  validation?: 'none';
}

export interface Vcon {
  vcon: typeof VCON_SYNTAX;
  uuid: string;
  created_at: string;
  parties: VconParty[];
  dialog: VconDialog[];
  attachments: VconAttachment[];
}

interface VconDialog {
  type: 'recording';
  start: string;
  /** Seconds. */
  duration: number;
  /** One channel: its parties. More: those of each channel. */
  parties: number[] | number[][];
  originator?: number;
  mediatype: string;
  filename: string;
  party_history?: { party: number; time: string; event: string; button?: string }[];
  session_id?: { local: string; remote: string };
  url?: string;
  content_hash?: string;
  body?: string;
  encoding?: string;
}

interface VconAttachment {
  start: string;
  party: number;
  dialog: number;
  mediatype: string;
  filename: string;
  body: string;
  encoding: 'json' | 'none';
}

/** Null if there is no audio: then there is no conversation to hand on. */
export function vconOf(document: RecordingDocument, content: VconContent): Vcon | null {
  const { id, times, participants, audio } = document;
  const file = document.files.find(({ role }) => role === 'audio');
  if (!audio || !file) return null;
  const caller = participants.findIndex(({ role }) => role === 'caller');
  const parties = dialogParties(participants, audio.channels);
  const history = partyHistory(document);
  return {
    vcon: VCON_SYNTAX,
    uuid: id,
    // The recording was whole then: however often it is exported, it is the same vCon.
    created_at: times.end,
    // Whoever listens is a party too, and the one who adds what was noted down.
    parties: [...participants.map(partyOf), { name: 'sipreel', validation: 'none' }],
    dialog: [
      {
        type: 'recording',
        start: times.audioStart ?? times.start,
        duration: times.durationMs / 1000,
        parties,
        ...(caller >= 0 && parties.flat()[0] !== caller && { originator: caller }),
        mediatype: 'audio/x-wav',
        filename: file.name,
        ...sessionId(document.call.sipSessionIds),
        ...(history.length > 0 && { party_history: history }),
        ...content,
      },
    ],
    attachments: attachments(document, participants.length),
  };
}

function partyOf({ aor, name }: RecordedParticipant): VconParty {
  const address = aor?.replace(/[;?>].*$/s, '') ?? null;
  return {
    ...(address !== null && addressOf(address)),
    ...(name !== null && { name, validation: 'none' as const }),
  };
}

function addressOf(address: string): VconParty {
  if (/^sips?:/i.test(address)) return { sip: address };
  if (address.includes('@')) return { sip: `sip:${address}` };
  return numberOf(address) === null ? { name: address, validation: 'none' } : { tel: address.replace(/^tel:/i, '') };
}

function dialogParties(participants: RecordedParticipant[], channels: number): number[] | number[][] {
  const of = (channel: number) => participants.flatMap((party, index) => (party.channel === channel ? [index] : []));
  if (channels > 1) return Array.from({ length: channels }, (_, channel) => of(channel));
  return participants.map((_, index) => index);
}

/** RFC 7989 §7. */
const NIL = '0'.repeat(32);

/** Of several nobody says whose they are: the draft wants one for all parties, or one for each. */
function sessionId([text, ...others]: string[]): Pick<VconDialog, 'session_id'> {
  const [, local, remote = NIL] = /^([0-9a-f]{32})(?:;remote=([0-9a-f]{32}))?$/i.exec(text ?? '') ?? [];
  if (local === undefined || others.length > 0) return {};
  return { session_id: { local: local.toLowerCase(), remote: remote.toLowerCase() } };
}

const HISTORY: Partial<Record<TimelineEvent['type'], string>> = {
  joined: 'join',
  left: 'drop',
  hold: 'hold',
  resume: 'unhold',
  dtmf: 'keydown',
};

/** What of the timeline the format has a word for, and a party that it happened to. */
function partyHistory({ timeline, streams, participants }: RecordingDocument) {
  return timeline.flatMap(({ type, time, digit, participantId, streamId }) => {
    const event = HISTORY[type];
    const sender = participantId ?? streams.find((stream) => stream.id === streamId)?.participantId;
    const party = participants.findIndex((participant) => participant.id === sender);
    if (event === undefined || party < 0 || (type === 'dtmf' && digit === undefined)) return [];
    return [{ party, time, event, ...(digit !== undefined && { button: digit }) }];
  });
}

function attachments(document: RecordingDocument, party: number): VconAttachment[] {
  const common = { party, dialog: 0 };
  const own: VconAttachment = {
    ...common,
    start: document.times.start,
    mediatype: 'application/json',
    filename: 'recording.json',
    body: JSON.stringify(document),
    encoding: 'json',
  };
  const raw = document.metadata.map(({ received, contentType, text }, index): VconAttachment => {
    // A stranger's header field: only what is a media type passes as one.
    const mediatype = /^[\w.+-]+\/[\w.+-]+/.exec(contentType)?.[0] ?? 'text/plain';
    return { ...common, start: received, mediatype, filename: `metadata-${index + 1}`, body: text, encoding: 'none' };
  });
  return [own, ...raw];
}
