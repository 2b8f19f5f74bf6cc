// What the kernel dropped because nobody read a socket in time, for sockets that cannot be asked themselves: the last
// column of /proc/net/udp and udp6 (proc_net_udp, Linux).
import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { parseIpAddress } from '../journal/ip-address.ts';
import type { Clock } from '../lib/clock.ts';

const FILES = ['/proc/net/udp', '/proc/net/udp6'] as const;
/** The kernel writes a line for every socket of the machine, so the files are not read more often than this. */
const LEAST_INTERVAL_MS = 250;

/**
 *   idle ──refresh──▶ reading ──▶ idle
 *                        └ refresh meanwhile: what it wants to know may be younger, so it waits for the next reading
 */
export class KernelDrops {
  readonly #clock: Clock;
  readonly #read: (path: string) => Promise<string>;
  /** By address and port as the kernel writes them; only who lost something. Null: not told here. */
  #drops: Map<string, number> | null = null;
  #reading: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #begunMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, read: (path: string) => Promise<string> = (path) => readFile(path, 'latin1')) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Resolves when figures are there that are not older than this call. Never rejects. */
  refresh(): Promise<void> {
    if (this.#reading === null) return this.#begin();
    this.#next ??= this.#reading.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  /** @returns null where the system does not tell */
  of(socketName: string): number | null {
    return this.#drops === null ? null : (this.#drops.get(socketName) ?? 0);
  }

  /** The name is a new socket's from now on. */
  forget(socketName: string): void {
    this.#drops?.delete(socketName);
  }

  #begin(): Promise<void> {
    this.#reading = this.#take().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #take(): Promise<void> {
    const waitMs = this.#begunMs + LEAST_INTERVAL_MS - this.#clock.nowMs();
    if (waitMs > 0) await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
    this.#begunMs = this.#clock.nowMs();
    const texts = await Promise.all(FILES.map((path) => this.#read(path).catch(() => null)));
    if (texts.every((text) => text === null)) return;
    const drops = new Map<string, number>();
    for (const text of texts) if (text !== null) readSocketTable(text, drops);
    this.#drops = drops;
  }
}

/** Adds every socket of the table that lost something. Several sockets of one name are added up. */
function readSocketTable(text: string, drops: Map<string, number>): void {
  for (const line of text.split('\n')) {
    const columns = line.trimEnd();
    const count = Number(columns.slice(columns.lastIndexOf(' ') + 1));
    // The heading has no number there.
    if (!(count > 0)) continue;
    const start = columns.indexOf(': ') + 2;
    const name = columns.slice(start, columns.indexOf(' ', start));
    drops.set(name, (drops.get(name) ?? 0) + count);
  }
}

/** `0100007F:2EE0` for 127.0.0.1 and 12000: the address in words of 32 bits in this machine's order, the port as a number. */
export function socketName(host: string, port: number): string {
  const octets = parseIpAddress(host) ?? new Uint8Array(4);
  let name = '';
  for (let word = 0; word < octets.length; word += 4) {
    const four = Buffer.from(octets.subarray(word, word + 4));
    const value = endianness() === 'LE' ? four.readUInt32LE() : four.readUInt32BE();
    name += value.toString(16).toUpperCase().padStart(8, '0');
  }
  return `${name}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}
