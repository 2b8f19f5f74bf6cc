// From a sealed session and what the renderer found to recording.json. Nothing is invented: what is unknown is null.
import type { Attribution, ChannelLayout } from './attribution.ts';
import { captureWarnings } from './capture-warnings.ts';
import { RECORDING_DOCUMENT_VERSION, type RecordingDocument, type TimelineEvent } from './document.ts';
import type { RenderEvent, RenderResult } from './engines.ts';
import type { SessionEvent, SessionState, StreamSender } from './session-state.ts';

/** What rendering gave, or the reason why it gave nothing. */
export type RenderOutcome = { result: RenderResult } | { failure: string };

const MIXED_AUDIO = {
  code: 'mixed-audio',
  message: 'The client has mixed several parties into one stream: they cannot be told apart.',
};

/** mod_oreka's door says by itself what a single stream may mean. */
function isMixed({ source }: SessionState, { streams }: Attribution): boolean {
  return source !== 'oreka' && streams.some(({ rule }) => rule === 'mixed-stream');
}

/** The journal's entry in `files` is added by the archive, which decides whether it stays. */
export function buildDocument(
  state: SessionState,
  attribution: Attribution,
  outcome: RenderOutcome,
  layout: ChannelLayout,
): RecordingDocument {
  const result = 'result' in outcome ? outcome.result : null;
  const audio = result?.audio ?? null;
  // All times are on the media clock; the wall clock of the start labels them.
  const wallShiftMs = state.startWallMs - state.startMs;
  const iso = (mediaMs: number) => new Date(mediaMs + wallShiftMs).toISOString();
  const isoOrNull = (mediaMs: number | null | undefined) => (mediaMs == null ? null : iso(mediaMs));

  const streams = streamEntries(state, attribution, result, isoOrNull);
  const packets = streams.reduce((sum, stream) => sum + stream.packets + (stream.srtp?.undecrypted ?? 0), 0);
  const lastPacketMs = Math.max(state.startMs, ...(result?.streams ?? []).map((stream) => stream.lastPacketMs ?? 0));
  const endMs = state.endMs ?? lastPacketMs;
  const zeroMs = audio?.startMs ?? state.startMs;
  const { identifiers } = state.call;

  return {
    version: RECORDING_DOCUMENT_VERSION,
    id: state.recordingId,
    source: state.source,
    state: result === null ? 'failed' : audio ? 'finished' : packets > 0 ? 'not-renderable' : 'empty',
    endReason: state.endReason ?? 'interrupted',
    times: {
      start: iso(state.startMs),
      end: iso(endMs),
      audioStart: isoOrNull(audio?.startMs),
      statedStart: state.call.statedStartMs === null ? null : new Date(state.call.statedStartMs).toISOString(),
      durationMs: audio ? round(audio.durationMs) : 0,
    },
    call: { ...identifiers, continues: identifiers.continues ?? null, peer: state.peer },
    sessions: (state.sessions ?? []).map(({ startMs, endMs: sessionEndMs, ...session }) => ({
      ...session,
      start: iso(startMs),
      end: isoOrNull(sessionEndMs),
    })),
    participants: attribution.participants.map(({ participantId, role, channel, rule }) => {
      const party = state.call.participants.find((participant) => participant.participantId === participantId);
      const vendor = party?.vendor && { vendor: party.vendor };
      return { id: participantId, aor: party?.aor ?? null, name: party?.name ?? null, role, channel, rule, ...vendor };
    }),
    streams,
    audio: audio && {
      sampleRateHz: audio.sampleRateHz,
      channels: audio.channels,
      layout: audio.channels === 1 ? 'mono' : layout === 'stereo' ? 'caller-callee' : 'per-party',
    },
    timeline: timeline(state, attribution, result?.events ?? [], zeroMs, iso),
    warnings: [
      ...state.warnings,
      ...captureWarnings(state.statistics),
      ...(result?.warnings ?? []),
      ...(isMixed(state, attribution) ? [MIXED_AUDIO] : []),
      ...notKept(streams),
      ...('failure' in outcome ? [{ code: 'render-failed', message: outcome.failure }] : []),
    ],
    files: audio ? [{ name: 'audio.wav', role: 'audio', octets: audio.octets, sha256: audio.sha256 }] : [],
    ...decidedByRule(state),
    headers: state.call.extraHeaders,
    metadata: state.metadata.map(({ receivedMs, contentType, text }) => ({
      received: iso(receivedMs),
      contentType,
      text,
    })),
  };
}

function decidedByRule({ rule }: SessionState): Pick<RecordingDocument, 'rule' | 'retention' | 'tags'> {
  if (!rule || rule.provisional) return {};
  const { number, because, name, keepDays, tags } = rule;
  return {
    rule: { number, because, name },
    ...(keepDays === null ? {} : { retention: { keepDays } }),
    ...(tags.length === 0 ? {} : { tags }),
  };
}

/** What even the journal does not have. */
function notKept(streams: RecordingDocument['streams']): RecordingDocument['warnings'] {
  return streams.flatMap(({ id, drops: { srtpNotKept = 0 } }) => {
    if (srtpNotKept === 0) return [];
    const message = `Stream ${id}: ${srtpNotKept} more packets that could not be decrypted were not kept: there were too many.`;
    return [{ code: 'srtp-not-kept', message }];
  });
}

function streamEntries(
  state: SessionState,
  attribution: Attribution,
  result: RenderResult | null,
  isoOrNull: (mediaMs: number | null | undefined) => string | null,
): RecordingDocument['streams'] {
  return state.streams.map(({ streamId, label, srtp, session, senders }) => {
    const attributed = attribution.streams.find((stream) => stream.streamId === streamId);
    const rendered = result?.streams.find((stream) => stream.streamId === streamId);
    const captured = state.statistics?.[streamId];
    // The journal's own figures count; the capture core's stand in when it could not be read.
    const counted = rendered ?? captured;
    return {
      id: streamId,
      label,
      participantId: attributed?.participantId ?? null,
      channel: attributed?.channel ?? 0,
      rule: attributed?.rule ?? 'unattributed',
      ...(session === undefined ? {} : { session }),
      ...(senders === undefined ? {} : { senders: senders.map((sender) => senderEntry(sender, isoOrNull)) }),
      codecs: rendered?.codecs ?? [],
      ssrcs: counted?.ssrcs ?? [],
      sources: counted?.sources ?? [],
      rendered: rendered?.rendered ?? false,
      packets: counted?.packets ?? 0,
      octets: counted?.octets ?? 0,
      lost: counted?.lost ?? 0,
      duplicate: Math.max(counted?.duplicates ?? 0, captured?.duplicates ?? 0),
      late: rendered?.late ?? 0,
      reordered: counted?.reordered ?? 0,
      undecodable: rendered?.undecodable ?? 0,
      jitterMs: round(counted?.jitterMs ?? 0),
      driftPpm: rendered?.driftPpm == null ? null : round(rendered.driftPpm),
      rtcpPackets: counted?.rtcpPackets ?? 0,
      firstPacket: isoOrNull(counted?.firstPacketMs),
      lastPacket: isoOrNull(counted?.lastPacketMs),
      ...(srtp && {
        srtp: {
          suites: [...new Set(srtp.receiving.map(({ suite }) => suite))],
          undecrypted: counted?.undecrypted ?? 0,
        },
      }),
      drops: captured?.drops ?? {},
      ...(captured?.kernelDrops === undefined ? {} : { kernelDrops: captured.kernelDrops }),
    };
  });
}

function senderEntry(
  { participantId, fromMs, untilMs }: StreamSender,
  isoOrNull: (mediaMs: number | null) => string | null,
) {
  return { participantId, from: isoOrNull(fromMs)!, until: isoOrNull(untilMs) };
}

function timeline(
  state: SessionState,
  attribution: Attribution,
  found: RenderEvent[],
  zeroMs: number,
  iso: (mediaMs: number) => string,
): TimelineEvent[] {
  const at = (mediaMs: number) => ({ offsetMs: round(mediaMs - zeroMs), time: iso(mediaMs) });
  const channelOf = (streamId: string) => attribution.streams.find((stream) => stream.streamId === streamId)?.channel;
  const withStream = (streamId: string) => ({ streamId, channel: channelOf(streamId) ?? 0 });

  const told = state.events.map((event: SessionEvent): TimelineEvent => {
    const { type, atMs, ...others } = event;
    const { statedMs, ...rest } = { statedMs: undefined, ...others };
    const statedTime = statedMs === undefined ? {} : { statedTime: new Date(statedMs).toISOString() };
    return { type, ...at(atMs), ...statedTime, ...rest, ...('streamId' in event ? withStream(event.streamId) : {}) };
  });
  const heard = found.map((event): TimelineEvent => {
    const { offsetMs, ...rest } = event;
    const durationMs = 'durationMs' in rest ? { durationMs: round(rest.durationMs) } : {};
    return { ...rest, ...durationMs, ...at(zeroMs + offsetMs), ...withStream(event.streamId) };
  });
  return [...told, ...heard].sort((a, b) => a.offsetMs - b.offsetMs);
}

const round = (value: number) => Math.round(value * 1000) / 1000;
