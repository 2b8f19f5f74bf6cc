// Socket addresses as the kernel wants them and as text: sockaddr_in and sockaddr_in6.
import { networkInterfaces } from 'node:os';
import { formatIpAddress, parseIpAddress } from '../../journal/ip-address.ts';
import { AF_INET, type AF_INET6, SOCKADDR_IN, SOCKADDR_IN6 } from './layouts.ts';

/** Room for the longer of the two, a whole number of 64-bit words. */
export const SOCKET_ADDRESS_ROOM = 32;

export type AddressFamily = typeof AF_INET | typeof AF_INET6;

/** The prefix of IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2). */
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/**
 * Writes `host`, an IP address, and `port` at `at`, where SOCKET_ADDRESS_ROOM octets have to be free. An IPv4 address
 * becomes an IPv4-mapped one for a socket of the other family; `%eth0` and `%2` behind a link-local address are understood.
 * @returns the address's octets; 0 if `host` is no address, or none of that family
 */
export function writeSocketAddress(
  memory: Uint8Array,
  at: number,
  family: AddressFamily,
  host: string,
  port: number,
): number {
  const address = parseIpAddress(host);
  if (address === null || !(port >= 0 && port <= 65_535)) return 0;
  if (family === AF_INET && address.length !== 4) return 0;
  memory.fill(0, at, at + SOCKET_ADDRESS_ROOM);
  memory[at + SOCKADDR_IN.family] = family;
  memory[at + SOCKADDR_IN.port] = port >>> 8;
  memory[at + SOCKADDR_IN.port + 1] = port;
  if (family === AF_INET) {
    memory.set(address, at + SOCKADDR_IN.address);
    return SOCKADDR_IN.octets;
  }
  if (address.length === 4) memory.set(MAPPED_PREFIX, at + SOCKADDR_IN6.address);
  memory.set(address, at + SOCKADDR_IN6.address + 16 - address.length);
  const scopeId = scopeIdOf(host);
  for (let i = 0; i < 4; i++) memory[at + SOCKADDR_IN6.scopeId + i] = scopeId >>> (8 * i);
  return SOCKADDR_IN6.octets;
}

export function readPort(memory: Uint8Array, at: number): number {
  return (memory[at + SOCKADDR_IN.port]! << 8) | memory[at + SOCKADDR_IN.port + 1]!;
}

/** The text that node:dgram gives for the same sender, too. */
export function readHost(memory: Uint8Array, at: number): string {
  if (memory[at + SOCKADDR_IN.family] === AF_INET) return formatIpAddress(memory, at + SOCKADDR_IN.address, 4);
  const address = at + SOCKADDR_IN6.address;
  if (MAPPED_PREFIX.every((octet, i) => memory[address + i] === octet))
    return `::ffff:${formatIpAddress(memory, address + 12, 4)}`;
  const host = formatIpAddress(memory, address, 16);
  // Link-local, fe80::/10: only good together with the interface.
  const linkLocal = memory[address] === 0xfe && (memory[address + 1]! & 0xc0) === 0x80;
  if (!linkLocal) return host;
  const scope = at + SOCKADDR_IN6.scopeId;
  const scopeId = memory[scope]! | (memory[scope + 1]! << 8) | (memory[scope + 2]! << 16) | (memory[scope + 3]! << 24);
  return `${host}%${interfaceName(scopeId)}`;
}

function scopeIdOf(host: string): number {
  const at = host.indexOf('%');
  if (at < 0) return 0;
  const zone = host.slice(at + 1);
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  for (const address of networkInterfaces()[zone] ?? [])
    if (address.family === 'IPv6' && address.scopeid) return address.scopeid;
  return 0;
}

function interfaceName(scopeId: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    if (addresses?.some((address) => address.family === 'IPv6' && address.scopeid === scopeId)) return name;
  return String(scopeId);
}
