// Keys do not belong into what is kept of a SIP message: the journal outlives the call, its keys must not.

/**
 * SRTP keys of a=crypto lines (RFC 4568 §6.1; also over a soft line break of quoted-printable), MIKEY messages (RFC 4567),
 * and k= lines (RFC 4566 §5.12). Lifetime, MKI and parameters stay readable.
 */
const KEYS = [
  /(inline:)((?:=\r?\n|[^\s|;])+)/gi,
  /(^a=key-mgmt:\S+[ \t]+)([^\r\n]+)/gim,
  /(^k=[a-z0-9]+:)([^\r\n]+)/gim,
];

/** The message with asterisks in place of keys, of the same length; the message itself if it has none. */
export function maskKeys(message: Uint8Array): Uint8Array {
  // One character per octet, so that whatever else stands there comes out as it was.
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString('latin1');
  let masked = text;
  for (const pattern of KEYS) {
    masked = masked.replace(pattern, (_, before: string, key: string) => before + key.replace(/[^\r\n]/g, '*'));
  }
  return masked === text ? message : Buffer.from(masked, 'latin1');
}
