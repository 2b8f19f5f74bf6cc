// Whom we may be told to call: a SIP URI without anything that leads a request elsewhere (maddr, header fields), and lists
// of those allowed.
import { isIP } from 'node:net';
import { NetworkList, parseNetwork } from './networks.ts';

export interface SipTarget {
  /** As it stands in the request. */
  uri: string;
  /** Without brackets. */
  host: string;
  port: number | null;
  transport: 'udp' | 'tcp' | 'tls';
}

const TARGET =
  /^(sips?):(?:[\w.!~*'()+%-]{1,128}@)?(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::(\d{1,5}))?(?:;transport=(udp|tcp|tls))?$/i;

/** `sip:[user@]host[:port][;transport=udp|tcp|tls]`; null for anything else. */
export function parseSipTarget(uri: string): SipTarget | null {
  const match = TARGET.exec(uri);
  if (!match) return null;
  const [, scheme = '', hostText = '', portText, transport] = match;
  const host = hostText.replace(/^\[|\]$/g, '');
  const port = portText === undefined ? null : Number(portText);
  if ((hostText.startsWith('[') && isIP(host) !== 6) || port === 0 || (port ?? 1) > 65_535) return null;
  const secure = scheme.toLowerCase() === 'sips';
  const said = transport?.toLowerCase() as SipTarget['transport'] | undefined;
  if (secure && said === 'udp') return null;
  return { uri, host, port, transport: secure ? 'tls' : (said ?? 'udp') };
}

/** `allowed`: addresses, networks, or host names, which are compared as they are written and not resolved. */
export function isAllowedTarget({ host }: SipTarget, allowed: readonly string[]): boolean {
  if (isIP(host) === 0) return allowed.some((entry) => entry.toLowerCase() === host.toLowerCase());
  return new NetworkList(allowed.filter((entry) => parseNetwork(entry) !== null)).has(host);
}
