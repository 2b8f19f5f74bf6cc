// Bodies for tests: a plain offer, plain metadata, and multipart bodies around them.

export const SDP = [
  'v=0',
  'o=- 1795222853 0 IN IP4 192.0.2.1',
  's=-',
  'c=IN IP4 192.0.2.1',
  't=0 0',
  'm=audio 35001 RTP/AVP 0 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendonly',
  'a=label:0',
  'm=audio 35002 RTP/AVP 8',
  'a=rtpmap:8 PCMA/8000',
  'a=sendonly',
  'a=label:1',
  '',
].join('\r\n');

export const METADATA = [
  '<?xml version="1.0" encoding="UTF-8"?>',
  "<recording xmlns='urn:ietf:params:xml:ns:recording:1'>",
  '  <datamode>complete</datamode>',
  '  <session session_id="s1"><sipSessionID>call-1</sipSessionID></session>',
  '  <participant participant_id="p1"><nameID aor="sip:alice@example.com"><name>Alice</name></nameID></participant>',
  '  <participant participant_id="p2"><nameID aor="sip:bob@example.com"><name>Bob</name></nameID></participant>',
  '  <stream stream_id="m1" session_id="s1"><label>0</label></stream>',
  '  <stream stream_id="m2" session_id="s1"><label>1</label></stream>',
  '  <participantstreamassoc participant_id="p1"><send>m1</send><recv>m2</recv></participantstreamassoc>',
  '  <participantstreamassoc participant_id="p2"><send>m2</send><recv>m1</recv></participantstreamassoc>',
  '</recording>',
  '',
].join('\r\n');

export const BOUNDARY = 'OSS-unique-boundary-42';
export const CONTENT_TYPE = `multipart/mixed;boundary=${BOUNDARY}`;

/** A body as OpenSIPS writes it. */
export function multipart(sdp: string | null = SDP, metadata: string | null = METADATA): string {
  const parts = [
    ...(sdp === null ? [] : [`Content-Type: application/sdp\r\n\r\n${sdp}`]),
    ...(metadata === null
      ? []
      : [`Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n${metadata}`]),
  ];
  return `${parts.map((part) => `--${BOUNDARY}\r\n${part}\r\n`).join('')}--${BOUNDARY}--\r\n`;
}

/** The SDP with every direction replaced. */
export function withDirection(direction: string, sdp = SDP): string {
  return sdp.replace(/a=(sendonly|sendrecv|recvonly|inactive)/g, `a=${direction}`);
}
