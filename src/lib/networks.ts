// IP addresses and networks as operators write them (RFC 4632, RFC 4291 §2.3), and whether an address is in one.
import { BlockList, isIP } from 'node:net';

/** Loopback, the private ranges (RFC 1918, RFC 6598, RFC 4193) and link-local IPv6. */
export const PRIVATE_NETWORKS: readonly string[] = [
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
];

export interface Network {
  address: string;
  prefix: number;
}

const MAPPED_BITS = 96;

/** An address, or a network in CIDR notation; IPv4 mapped into IPv6 is IPv4. Null if it is neither. */
export function parseNetwork(text: string): Network | null {
  const [address = '', prefixText, ...rest] = text.split('/');
  const family = isIP(address);
  const longest = family === 6 ? 128 : 32;
  if (family === 0 || rest.length > 0 || address.includes('%')) return null;
  const prefix = prefixText === undefined ? longest : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  if (!(prefix <= longest)) return null;
  const plain = plainAddress(address);
  if (family === 6 && isIP(plain) === 4)
    return prefix >= MAPPED_BITS ? { address: plain, prefix: prefix - MAPPED_BITS } : { address, prefix };
  return { address, prefix };
}

/** Without a zone, and as IPv4 where it is one mapped into IPv6 (what a dual-stack socket shows). */
export function plainAddress(host: string): string {
  return host.replace(/%.*$/s, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

/** A list of networks that says whether it holds an address. */
export class NetworkList {
  readonly #networks = new BlockList();

  /** Throws if an entry is neither an address nor a network. */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text);
      if (!network) throw new Error(`${text} is neither an IP address nor a network like 10.0.0.0/8.`);
      this.#networks.addSubnet(network.address, network.prefix, isIP(network.address) === 6 ? 'ipv6' : 'ipv4');
    }
  }

  /** False for what is no IP address. */
  has(host: string): boolean {
    const address = plainAddress(host);
    const family = isIP(address);
    return family !== 0 && this.#networks.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }
}
