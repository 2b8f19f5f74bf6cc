// Header names: any case, and compact forms equal to the long ones (RFC 3261 §7.3.3 and the IANA SIP header registry).

const LONG_FORMS: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

/** The long form of a compact name; every other name as it is. */
export function longName(name: string): string {
  return name.length === 1 ? (LONG_FORMS[name.toLowerCase()] ?? name) : name;
}

/** The key under which two spellings of the same header are equal. */
export function headerKey(name: string): string {
  return longName(name).toLowerCase();
}

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

/** True for an RFC 3261 §25.1 token: what a method or a header name may be made of. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
