// Who may send us texts. There is no authentication in the protocol: whoever is heard can open ports and write files.
import type { Log } from '../lib/log.ts';
import type { LogLimiter } from '../lib/log-limiter.ts';
import { NetworkList, plainAddress } from '../lib/networks.ts';

const MAX_COUNTED_SOURCES = 256;
const MAX_LOGGED_SOURCES = 10;

export class AllowedSources {
  readonly #networks: NetworkList;
  readonly #log: Log;
  readonly #limiter: LogLimiter;
  readonly #refused = new Map<string, number>();
  #unlogged = new Map<string, number>();

  /** Throws if an entry is neither an address nor a network. */
  constructor(networks: readonly string[], parts: { log: Log; limiter: LogLimiter }) {
    this.#log = parts.log;
    this.#limiter = parts.limiter;
    this.#networks = new NetworkList(networks);
  }

  /** Refused datagrams by source address; beyond 256 sources they are counted as `others`. */
  get refused(): Record<string, number> {
    return Object.fromEntries(this.#refused);
  }

  /** False: the datagram is not to be read. It has been counted. */
  admits(host: string): boolean {
    const address = plainAddress(host);
    if (this.#networks.has(address)) return true;
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
