// Who may send us texts. There is no authentication in the protocol: whoever is heard can open ports and write files.
import { BlockList, isIP } from 'node:net';
import type { Log } from '../lib/log.ts';
import type { LogLimiter } from './log-limiter.ts';

/** Loopback, the private ranges (RFC 1918, RFC 6598, RFC 4193) and link-local IPv6. */
export const DEFAULT_ALLOWED_SOURCES: readonly string[] = [
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
];

/** An address, or a network in CIDR notation (RFC 4632, RFC 4291 §2.3). Null if it is neither. */
export function parseNetwork(text: string): { address: string; prefix: number } | null {
  const [address = '', prefixText, ...rest] = text.split('/');
  const family = isIP(address);
  const longest = family === 6 ? 128 : 32;
  if (family === 0 || rest.length > 0 || address.includes('%')) return null;
  if (prefixText === undefined) return { address, prefix: longest };
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  return prefix <= longest ? { address, prefix } : null;
}

/** Without a zone, and as IPv4 where it is one mapped into IPv6 (what a dual-stack socket shows). */
export function plainAddress(host: string): string {
  return host.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

const MAX_COUNTED_SOURCES = 256;
const MAX_LOGGED_SOURCES = 10;

export class AllowedSources {
  readonly #networks = new BlockList();
  readonly #log: Log;
  readonly #limiter: LogLimiter;
  readonly #refused = new Map<string, number>();
  #unlogged = new Map<string, number>();

  /** Throws if an entry is neither an address nor a network. */
  constructor(networks: readonly string[], parts: { log: Log; limiter: LogLimiter }) {
    this.#log = parts.log;
    this.#limiter = parts.limiter;
    for (const text of networks) {
      const network = parseNetwork(text);
      if (!network) throw new Error(`Allowed source ${text} is neither an IP address nor a network like 10.0.0.0/8.`);
      this.#networks.addSubnet(network.address, network.prefix, isIP(network.address) === 6 ? 'ipv6' : 'ipv4');
    }
  }

  /** Refused datagrams by source address; beyond 256 sources they are counted as `others`. */
  get refused(): Record<string, number> {
    return Object.fromEntries(this.#refused);
  }

  /** False: the datagram is not to be read. It has been counted. */
  admits(host: string): boolean {
    const address = plainAddress(host);
    if (this.#networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) return true;
    const counted = this.#refused.has(address) || this.#refused.size < MAX_COUNTED_SOURCES ? address : 'others';
    this.#refused.set(counted, (this.#refused.get(counted) ?? 0) + 1);
    if (this.#unlogged.has(counted) || this.#unlogged.size < MAX_LOGGED_SOURCES)
      this.#unlogged.set(counted, (this.#unlogged.get(counted) ?? 0) + 1);
    if (this.#limiter.pass('refused-source') !== null) {
      const sources = Object.fromEntries(this.#unlogged);
      this.#unlogged = new Map();
      this.#log.warn(
        { sources },
        'mod_oreka datagrams from addresses that are not allowed were dropped: if it is your FreeSWITCH, add it to the allowed sources',
      );
    }
    return false;
  }
}
