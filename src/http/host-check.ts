// A page on the Internet may point its own name at 127.0.0.1 and have a browser here talk to us (DNS rebinding). Requests that
// come in over loopback therefore have to name us as a local user would, or by a name from the configuration.
import { isIP } from 'node:net';

/** The name of `HOST`, `HOST:PORT` or `[IPv6]:PORT`, in lower case; null if it is none. */
export function hostName(header: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  return match ? (match[1] ?? match[2] ?? '').toLowerCase().replace(/\.$/, '') : null;
}

/** `localAddress` is the one on which the connection came in. Names from the configuration are in lower case. */
export function hostIsOurs(header: string | undefined, localAddress: string, configured: readonly string[]): boolean {
  const name = header === undefined ? null : hostName(header);
  if (name === null) return false;
  if (name === 'localhost' || isIP(name) !== 0 || configured.includes(name)) return true;
  return configured.length === 0 && !isLoopback(localAddress);
}

export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain);
}
