// From a sealed session to the renderer's order: who stands in which channel, and when a stream was not receiving.
import { type Attribution, attribute, attributeMixed, type ChannelLayout } from './attribution.ts';
import type { RenderJob } from './engines.ts';
import type { SessionState } from './session-state.ts';

export interface AudioOptions {
  layout: ChannelLayout;
  /** Null keeps the streams' own rate. */
  sampleRateHz: number | null;
}

export function renderJob(state: SessionState, options: AudioOptions): { job: RenderJob; attribution: Attribution } {
  const attribution = attributeStreams(state, options.layout);
  const channelOf = new Map(attribution.streams.map((stream) => [stream.streamId, stream.channel]));
  const job: RenderJob = {
    journalPath: state.journalPath,
    audioPath: state.audioPath,
    streams: state.streams.map(({ streamId, label, formats }) => ({
      streamId,
      label,
      formats,
      channel: channelOf.get(streamId) ?? 0,
      standIns: standIns(streamId, state, attribution),
      placement: state.source === 'oreka' ? 'arrival' : 'rtp-time',
    })),
    pauses: pauses(state),
    channels: attribution.channels,
    sampleRateHz: options.sampleRateHz,
    info: info(state, attribution),
  };
  return { job, attribution };
}

/** mod_oreka does not say when it mixes; that there never was a second stream is all that tells. */
export function attributeStreams(state: SessionState, layout: ChannelLayout): Attribution {
  const [first, ...others] = state.streams;
  if (state.source === 'oreka' && first && others.length === 0) return attributeMixed(state.call, first);
  return attribute(state.call, state.streams, layout, state);
}

/** A client that tries again, or a second client, brings a party twice: the later session counts. */
function standIns(streamId: string, state: SessionState, attribution: Attribution): string[] {
  const sender = (id: string) => attribution.streams.find((stream) => stream.streamId === id)?.participantId ?? null;
  const own = state.streams.find((stream) => stream.streamId === streamId);
  const party = sender(streamId);
  if (party === null) return [];
  return state.streams
    .filter((other) => (other.session ?? 1) > (own?.session ?? 1) && sender(other.streamId) === party)
    .map((other) => other.streamId);
}

/** Holds and pauses of a stream, and interruptions of the capture core, which concern every stream. */
function pauses(state: SessionState): RenderJob['pauses'] {
  const intervals: RenderJob['pauses'] = [];
  const open = new Map<string, RenderJob['pauses'][number]>();
  const begin = (key: string, streamId: string, startMs: number) => {
    if (open.has(key)) return;
    const interval = { streamId, startMs, endMs: null };
    open.set(key, interval);
    intervals.push(interval);
  };
  const end = (key: string, endMs: number) => {
    const interval = open.get(key);
    if (interval) interval.endMs = endMs;
    open.delete(key);
  };
  for (const event of state.events) {
    if (event.type === 'hold') begin(`hold ${event.streamId}`, event.streamId, event.atMs);
    if (event.type === 'resume') end(`hold ${event.streamId}`, event.atMs);
    if (event.type === 'paused') begin(`paused ${event.streamId}`, event.streamId, event.atMs);
    if (event.type === 'resumed') end(`paused ${event.streamId}`, event.atMs);
    for (const { streamId } of state.streams) {
      if (event.type === 'interrupted') begin(`lost ${streamId}`, streamId, event.atMs);
      if (event.type === 'recovered') end(`lost ${streamId}`, event.atMs);
      if (event.type === 'restart') {
        // A worker that was being replaced died with its process.
        end(`lost ${streamId}`, event.atMs);
        intervals.push({ streamId, startMs: event.atMs, endMs: event.atMs + event.durationMs });
      }
    }
  }
  return intervals;
}

/** The RIFF INFO chunk (RIFF 1991 §2): who and when, for players that show it. */
function info(state: SessionState, attribution: Attribution): Record<string, string> {
  const describe = (role: 'caller' | 'callee') => {
    const id = attribution.participants.find((participant) => participant.role === role)?.participantId;
    const party = state.call.participants.find((participant) => participant.participantId === id);
    return party?.name ?? party?.aor ?? 'unknown';
  };
  return {
    INAM: `${describe('caller')} to ${describe('callee')}`,
    IART: describe('caller'),
    ICRD: new Date(state.startWallMs).toISOString(),
    ICMT: `left: ${describe('caller')}; right: ${describe('callee')}; recording ${state.recordingId}`,
    ISFT: 'sipreel',
  };
}
