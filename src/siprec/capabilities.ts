// What this recording server says of itself in every answer (RFC 3261 §20.1, §20.5, §20.37; RFC 7866 §6.2, §9.2).

const ALLOW = 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY';
const SUPPORTED = 'siprec, timer';
const ACCEPT = 'application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed';

export type Transport = 'udp' | 'tcp' | 'tls';

export function capabilityHeaders(): Record<string, string> {
  return { Allow: ALLOW, Supported: SUPPORTED, Accept: ACCEPT };
}

export function methodNotAllowed(): { status: number; reason: string; headers: Record<string, string> } {
  return { status: 405, reason: 'Method Not Allowed', headers: { Allow: ALLOW } };
}

/** The SIP server puts the address of the transport used in place of `localhost`; the transport itself is ours to say. */
export function recordingContact(transport: Transport): string {
  const parameter = transport === 'udp' ? '' : `;transport=${transport}`;
  return `<sip:sipreel@localhost${parameter}>;+sip.srs`;
}
