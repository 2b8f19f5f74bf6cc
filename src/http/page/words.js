// Times, people and quality, in words.

/** `2:03`, `1:02:03`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const dayFormat = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const timeFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
export const day = (iso) => dayFormat.format(new Date(iso));
export const time = (iso) => timeFormat.format(new Date(iso));

export function octets(count) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = count > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(count) / 3)) : 0;
  const number = count / 1000 ** power;
  return `${number.toFixed(power > 0 && number < 10 ? 1 : 0)} ${units[power]}`;
}

/** `sip:1001@example.com;x=y` is `1001@example.com`. */
export const address = (aor) => (aor ?? '').replace(/^(sips?|tel):/i, '').replace(/[;?].*$/s, '');

export function partyName({ name, aor }) {
  return name || address(aor) || 'Unknown';
}

/** Empty if it says no more than the name. */
export function partyAddress(party) {
  const text = address(party.aor);
  return text === partyName(party) ? '' : text;
}

/** Caller first, then callee, then others. */
export function inOrder(participants) {
  const places = { caller: 0, callee: 1, other: 2 };
  return [...participants].sort((a, b) => (places[a.role] ?? 2) - (places[b.role] ?? 2));
}

export function title(participants) {
  const names = inOrder(participants).map(partyName);
  if (names.length === 0) return 'Unknown parties';
  if (names.length <= 2) return names.join(' → ');
  return `${names[0]} → ${names.slice(1).join(', ')}`;
}

export const SOURCES = { siprec: 'SIPREC', oreka: 'mod_oreka', import: 'Imported' };
export const STATES = {
  finished: 'Finished',
  empty: 'Nothing arrived',
  'not-renderable': 'Only in the journal',
  failed: 'Failed',
};
export const END_REASONS = {
  ended: 'the call ended',
  cancelled: 'the call was cancelled before it began',
  abandoned: 'neither media nor signalling came any more',
  'max-duration': 'the longest duration allowed was reached',
  stopped: 'it was stopped here',
  interrupted: 'the recorder died while it ran',
  failed: 'it failed',
};

export const percent = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;

const lossOf = ({ packets, lost }) => (packets + lost === 0 ? 0 : (100 * lost) / (packets + lost));

/**
 * How well each party was heard.
 * @returns {{who: string, channel: number|null, words: string, grade: 'good'|'fair'|'bad'|'info'}[]}
 */
export function quality({ source, state, streams, participants }) {
  if (source === 'import') {
    return [{ who: 'Handed in', channel: null, words: 'as a file: how it was received is not known', grade: 'info' }];
  }
  if (streams.length === 0 || state === 'empty') {
    return [{ who: 'Everybody', channel: null, words: 'silent: no media arrived', grade: 'bad' }];
  }
  return streams.map((stream) => {
    const party = participants.find(({ id }) => id === stream.participantId);
    const who = party ? partyName(party) : `Stream ${stream.label ?? stream.id}`;
    return { who, channel: stream.channel, ...qualityOf(stream) };
  });
}

function qualityOf(stream) {
  if (stream.packets === 0) {
    const encrypted = stream.srtp?.undecrypted ?? 0;
    if (encrypted > 0) return { words: 'not readable: encrypted with keys that we do not have', grade: 'bad' };
    return { words: 'was silent: no packet arrived', grade: 'bad' };
  }
  if (!stream.rendered) return { words: `cannot be decoded: ${stream.codecs.join(', ')}`, grade: 'bad' };
  const loss = lossOf(stream);
  const lost = `${percent(loss)} of packets lost`;
  if (loss < 0.05) return { words: 'heard well', grade: 'good' };
  if (loss < 1) return { words: `heard well, ${lost}`, grade: 'good' };
  if (loss < 5) return { words: `heard with small gaps, ${lost}`, grade: 'fair' };
  return { words: `heard badly, ${lost}`, grade: 'bad' };
}

/** Of a line in the list: what somebody has to know before they play it. */
export function flags({ state, silentSide, lossPercent, warnings, held }) {
  const found = [];
  if (held) found.push({ words: 'On hold', grade: 'info' });
  if (state !== 'finished') found.push({ words: STATES[state] ?? state, grade: 'bad' });
  if (silentSide) found.push({ words: 'One side silent', grade: 'bad' });
  if (lossPercent >= 1) found.push({ words: `${percent(lossPercent)} lost`, grade: lossPercent >= 5 ? 'bad' : 'fair' });
  if (warnings > 0) found.push({ words: warnings === 1 ? '1 warning' : `${warnings} warnings`, grade: 'fair' });
  return found;
}

const EVENTS = {
  started: 'Recording begins',
  ended: 'Recording ends',
  hold: 'Put on hold by the client',
  resume: 'Hold ends',
  paused: 'Paused',
  resumed: 'Recorded again',
  'stream-added': 'Stream added',
  'stream-removed': 'Stream removed',
  joined: 'Joins',
  left: 'Leaves',
  identified: 'Becomes known',
  'party-changed': 'Party changed',
  sender: 'Is now the sender',
  'stream-changed': 'Stream changed',
  gap: 'Nothing arrived',
  dtmf: 'Key pressed',
  'source-change': 'Sender changed its address or SSRC',
  interrupted: 'Interrupted',
  recovered: 'Goes on',
  restart: 'The recorder was restarted',
};

/** One event of the timeline as a sentence. */
export function eventWords(event, participants) {
  const party = participants.find(({ id }) => id === event.participantId);
  const who = party ? partyName(party) : null;
  const details = [
    event.digit,
    event.durationMs === undefined ? null : `${(event.durationMs / 1000).toFixed(1)} s`,
    event.by ? `by ${event.by}` : null,
    event.reason,
    event.cause,
    event.detail,
  ].filter(Boolean);
  const what = EVENTS[event.type] ?? event.type;
  return `${who ? `${who}: ${what.toLowerCase()}` : what}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
