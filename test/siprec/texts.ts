// Offers and metadata written for one case at a time.

export interface WrittenParty {
  id: string;
  aor?: string;
  name?: string;
  /** Labels. */
  sends: string[];
  sessionId: string;
}

export interface WrittenMetadata {
  sessionId?: string;
  furtherSessions?: string[];
  /** Those of the sessions that have a stop-time. */
  ended?: string[];
  sipSessionIds?: string[];
  group?: string;
  dataMode?: 'complete' | 'partial';
  parties: WrittenParty[];
}

const CS = 'hVpd7YQgRW2nD22h7q60JQ==';

/** An offer of sendonly audio streams with these labels. */
export function offer(...labels: string[]): string {
  const lines = labels.map(
    (label, index) => `m=audio ${35_000 + 2 * index} RTP/AVP 0\r\na=sendonly\r\na=label:${label}\r\n`,
  );
  return `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n${lines.join('')}`;
}

/** RFC 7865 metadata in which each label's stream belongs to the session of the party that sends it. */
export function metadata(written: WrittenMetadata): string {
  const { sessionId = CS, furtherSessions = [], ended = [], sipSessionIds = [], group, parties } = written;
  const sessions = [sessionId, ...furtherSessions].map((id, index) => [
    `<session session_id="${id}">`,
    ...(index === 0 ? sipSessionIds.map((sip) => `<sipSessionID>${sip}</sipSessionID>`) : []),
    ...(group === undefined ? [] : [`<group-ref>${group}</group-ref>`]),
    ...(ended.includes(id) ? ['<stop-time>2026-01-01T00:01:00Z</stop-time>'] : []),
    '</session>',
  ]);
  const streams = new Map(parties.flatMap((party) => party.sends.map((label) => [label, party.sessionId] as const)));
  const idOf = (label: string) => `stream-${label}`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1">',
    `<datamode>${written.dataMode ?? 'complete'}</datamode>`,
    ...(group === undefined ? [] : [`<group group_id="${group}"/>`]),
    ...sessions.flat(),
    ...parties.map(
      ({ id, aor = `sip:${id}@example.com`, name = id }) =>
        `<participant participant_id="${id}"><nameID aor="${aor}"><name>${name}</name></nameID></participant>`,
    ),
    ...[...streams].map(
      ([label, id]) => `<stream stream_id="${idOf(label)}" session_id="${id}"><label>${label}</label></stream>`,
    ),
    ...parties.map(({ id, sessionId: of }) => `<participantsessionassoc participant_id="${id}" session_id="${of}"/>`),
    ...parties.map(
      ({ id, sends }) =>
        `<participantstreamassoc participant_id="${id}">${sends.map((label) => `<send>${idOf(label)}</send>`).join('')}</participantstreamassoc>`,
    ),
    '</recording>',
    '',
  ].join('\r\n');
}
