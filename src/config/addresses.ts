// Addresses as the operator writes them: `udp:0.0.0.0:5060`, `tcp:[::1]:5060`, `127.0.0.1:9022`, `40000-64999`.
import { isIP } from 'node:net';

export interface HostPort {
  host: string;
  port: number;
}

export interface SipListener extends HostPort {
  transport: 'udp' | 'tcp' | 'tls';
}

export interface PortRange {
  first: number;
  last: number;
}

/** `HOST:PORT` or `[IPv6]:PORT`. Null if it is not one. Names are allowed. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  if (!match) return null;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  if (port > 65_535 || (match[1] !== undefined && isIP(host) !== 6)) return null;
  return { host, port };
}

/** mod_oreka's port unless another is given; FreeSWITCH's own default configuration names none. */
const OREKA_PORT = 15_060;

/** `ADDRESS`, `ADDRESS:PORT` or `[IPv6]:PORT`; an IP address, because it is bound. */
export function parseOrekaListener(text: string): HostPort | null {
  if (isIP(text) !== 0) return { host: text, port: OREKA_PORT };
  const address = parseHostPort(text);
  return address && isIP(address.host) !== 0 ? address : null;
}

/** `udp:HOST:PORT`, `tcp:HOST:PORT` or `tls:HOST:PORT`; the host has to be an IP address, because it is bound. */
export function parseSipListener(text: string): SipListener | null {
  const match = /^(udp|tcp|tls):(.+)$/i.exec(text);
  const address = match && parseHostPort(match[2] ?? '');
  if (!match || !address || isIP(address.host) === 0) return null;
  return { transport: (match[1] ?? '').toLowerCase() as SipListener['transport'], ...address };
}

/** `A-B`, inclusive. Null unless 1 ≤ A ≤ B ≤ 65535. */
export function parsePortRange(text: string): PortRange | null {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text.trim());
  if (!match) return null;
  const range = { first: Number(match[1]), last: Number(match[2]) };
  return range.first >= 1 && range.last <= 65_535 && range.first <= range.last ? range : null;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
