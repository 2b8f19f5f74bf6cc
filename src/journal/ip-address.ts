// IP addresses as octets: text to octets and back (RFC 4291 §2.2, RFC 5952).
import { isIPv4, isIPv6 } from 'node:net';

/** 4 or 16 octets. IPv4-mapped IPv6 addresses (`::ffff:192.0.2.1`, from dual-stack sockets) become IPv4. Null if it is no address. */
export function parseIpAddress(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  const zone = text.indexOf('%');
  const host = zone < 0 ? text : text.slice(0, zone);
  if (!isIPv6(host)) return null;
  const octets = parseIpv6(host);
  return isMapped(octets) ? octets.slice(12) : octets;
}

/** The text of `length` octets (4 or 16) at `start`. */
export function formatIpAddress(buffer: Uint8Array, start: number, length: number): string {
  if (length === 4) return `${buffer[start]}.${buffer[start + 1]}.${buffer[start + 2]}.${buffer[start + 3]}`;
  const groups: string[] = [];
  for (let at = start; at < start + 16; at += 2) groups.push(((buffer[at]! << 8) | buffer[at + 1]!).toString(16));
  // The longest run of at least two zero groups is shortened, the first of equals (RFC 5952 §4.2).
  let bestAt = -1;
  let bestLength = 1;
  for (let at = 0; at < 8; at++) {
    let run = 0;
    while (at + run < 8 && groups[at + run] === '0') run++;
    if (run > bestLength) {
      bestAt = at;
      bestLength = run;
    }
    if (run > 0) at += run - 1;
  }
  if (bestAt < 0) return groups.join(':');
  return `${groups.slice(0, bestAt).join(':')}::${groups.slice(bestAt + bestLength).join(':')}`;
}

/** `host:port`, an IPv6 host in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseIpv6(host: string): Uint8Array {
  const octets = new Uint8Array(16);
  const [head = '', tail] = host.split('::');
  const front = groupsOf(head);
  octets.set(front, 0);
  if (tail !== undefined) {
    const back = groupsOf(tail);
    octets.set(back, 16 - back.length);
  }
  return octets;
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}

function isMapped(octets: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return false;
  return octets[10] === 0xff && octets[11] === 0xff;
}
