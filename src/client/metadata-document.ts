// Writes RFC 7865 metadata in the layout of OpenSIPS' siprec module, but with everything escaped as XML asks.

export interface MetadataParty {
  participantId: string;
  aor: string;
  /** Null leaves the name element out. */
  name: string | null;
}

export interface MetadataStream {
  streamId: string;
  label: string;
  /** Index of the party that sends it. */
  sender: number;
}

export interface MetadataDocument {
  sessionId: string;
  /** OpenSIPS puts the Call-ID of the recorded call here. */
  sipSessionId: string;
  groupId: string | null;
  /** Caller first. */
  parties: MetadataParty[];
  streams: MetadataStream[];
  /** Unix ms; written in UTC with OpenSIPS' zone without a colon, which is no valid xs:dateTime. */
  associateMs: number;
}

/** Lines end in CRLF, also the last. */
export function writeMetadata(document: MetadataDocument): string {
  const session = escapeXml(document.sessionId);
  const time = `\t\t<associate-time>${strftimeZone(document.associateMs)}</associate-time>`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<recording xmlns='urn:ietf:params:xml:ns:recording:1'>",
    '\t<datamode>complete</datamode>',
  ];
  if (document.groupId !== null) lines.push(`\t<group group_id="${escapeXml(document.groupId)}">`, '\t</group>');
  lines.push(
    `\t<session session_id="${session}">`,
    `\t\t<sipSessionID>${escapeXml(document.sipSessionId)}</sipSessionID>`,
  );
  if (document.groupId !== null) lines.push(`\t\t<group-ref>${escapeXml(document.groupId)}</group-ref>`);
  lines.push('\t</session>');
  for (const party of document.parties) {
    lines.push(`\t<participant participant_id="${escapeXml(party.participantId)}">`);
    if (party.name === null) lines.push(`\t\t<nameID aor="${escapeXml(party.aor)}"/>`);
    else
      lines.push(
        `\t\t<nameID aor="${escapeXml(party.aor)}">`,
        `\t\t\t<name>${escapeXml(party.name)}</name>`,
        '\t\t</nameID>',
      );
    lines.push('\t</participant>');
  }
  for (const stream of document.streams) {
    lines.push(
      `\t<stream stream_id="${escapeXml(stream.streamId)}" session_id="${session}">`,
      `\t\t<label>${escapeXml(stream.label)}</label>`,
      '\t</stream>',
    );
  }
  lines.push(`\t<sessionrecordingassoc session_id="${session}">`, time, '\t</sessionrecordingassoc>');
  for (const party of document.parties) {
    lines.push(
      `\t<participantsessionassoc participant_id="${escapeXml(party.participantId)}" session_id="${session}">`,
      time,
      '\t</participantsessionassoc>',
    );
  }
  document.parties.forEach((party, index) => {
    lines.push(`\t<participantstreamassoc participant_id="${escapeXml(party.participantId)}">`);
    for (const stream of document.streams)
      if (stream.sender === index) lines.push(`\t\t<send>${escapeXml(stream.streamId)}</send>`);
    for (const stream of document.streams)
      if (stream.sender !== index) lines.push(`\t\t<recv>${escapeXml(stream.streamId)}</recv>`);
    lines.push('\t</participantstreamassoc>');
  });
  lines.push('</recording>', '');
  return lines.join('\r\n');
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** For text and for attribute values. Characters that XML 1.0 cannot carry at all are left out. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function strftimeZone(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}+0000`;
}
