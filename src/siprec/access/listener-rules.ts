// Which rule counts for a request: that of the listener it came to, else the general one.
import { NetworkList, plainAddress } from '../../lib/networks.ts';

export interface ListenerAddress {
  transport: 'udp' | 'tcp' | 'tls';
  /** An IP address; 0.0.0.0 and :: are all of that family. */
  host: string;
  /** 0 in a rule: any port. */
  port: number;
}

export interface AccessRule {
  sources: readonly string[];
  digest: boolean;
}

export interface ReadyRule {
  sources: NetworkList;
  digest: boolean;
}

export class ListenerRules {
  readonly #general: ReadyRule;
  readonly #special: { listener: ListenerAddress; rule: ReadyRule }[];

  /** Throws if a source is no network. Of two rules for one listener the first counts. */
  constructor(general: AccessRule, special: readonly { listener: ListenerAddress; rule: AccessRule }[]) {
    this.#general = ready(general);
    this.#special = special.map(({ listener, rule }) => ({ listener, rule: ready(rule) }));
  }

  /** `local` is where the request was received, as bound or the concrete address behind a wildcard; null if unknown. */
  for(transport: string | null, local: { host: string; port: number } | null): ReadyRule {
    const found = this.#special.find(
      ({ listener }) =>
        listener.transport === transport &&
        local !== null &&
        (listener.port === 0 || listener.port === local.port) &&
        (isWildcard(listener.host) ||
          isWildcard(local.host) ||
          plainAddress(listener.host) === plainAddress(local.host)),
    );
    return found?.rule ?? this.#general;
  }
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}

function ready({ sources, digest }: AccessRule): ReadyRule {
  return { sources: new NetworkList(sources), digest };
}
