// The methods of the IANA SIP registry (RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903, 6086).

const METHODS = new Set([
  ...['ACK', 'BYE', 'CANCEL', 'INFO', 'INVITE', 'MESSAGE', 'NOTIFY'],
  ...['OPTIONS', 'PRACK', 'PUBLISH', 'REFER', 'REGISTER', 'SUBSCRIBE', 'UPDATE'],
]);

/** Case counts (RFC 3261 §7.1). */
export function isKnownMethod(method: string): boolean {
  return METHODS.has(method);
}
