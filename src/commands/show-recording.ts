// A recording in words, for the terminal.
import type { RecordingDocument } from '../recording/document.ts';

export function describeParty(document: Pick<RecordingDocument, 'participants'>, role: 'caller' | 'callee'): string {
  const party = document.participants.find((participant) => participant.role === role);
  if (!party) return 'unknown';
  if (party.name && party.aor) return `${party.name} <${party.aor}>`;
  return party.name ?? party.aor ?? 'unknown';
}

/** One sentence about what was heard and what was not. */
export function describeQuality(document: Pick<RecordingDocument, 'state' | 'streams'>): string {
  if (document.state === 'empty') return 'no media arrived';
  if (document.state === 'failed') return 'could not be rendered; the journal is kept';
  if (document.state === 'not-renderable') {
    const codecs = document.streams.flatMap((stream) => stream.codecs);
    return `no decoder for ${[...new Set(codecs)].join(', ')}; the journal is kept`;
  }
  const received = document.streams.reduce((sum, stream) => sum + stream.packets, 0);
  const lost = document.streams.reduce((sum, stream) => sum + stream.lost, 0);
  const worstJitterMs = document.streams.reduce((worst, stream) => Math.max(worst, stream.jitterMs), 0);
  const percent = received + lost > 0 ? (100 * lost) / (received + lost) : 0;
  const silent = document.streams.filter((stream) => stream.packets === 0).map((stream) => channelName(stream.channel));
  const parts = [`${received} packets`, `${percent.toFixed(percent > 0 && percent < 1 ? 2 : 0)} % lost`];
  parts.push(`jitter ${worstJitterMs.toFixed(1)} ms`);
  if (silent.length > 0) parts.push(`nothing received from ${silent.join(' and ')}`);
  return parts.join(', ');
}

export function channelName(channel: number): string {
  return channel === 0 ? 'left' : channel === 1 ? 'right' : `channel ${channel + 1}`;
}

/** `1:02:03` or `2:03.4`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  return hours > 0
    ? `${hours}:${String(minutes).padStart(2, '0')}:${String(Math.floor(rest)).padStart(2, '0')}`
    : `${minutes}:${rest.toFixed(1).padStart(4, '0')}`;
}

/** Texts come from the wire: no control character reaches the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '\u{FFFD}');
}
