// Our own addresses as peers and apps should see them: what is bound, and what the operator advertises instead.

import type { LocalAddress } from './dialog/owner.ts';
import type { Addresses } from './dialog/services.ts';
import { bracketed, parseHostPort } from './message/via.ts';
import { canonicalHost, isWildcard } from './transport/addresses.ts';
import type { Flow, Target, TransportName } from './transport/flow.ts';
import type { TransportLayer } from './transport/layer.ts';

export interface Advertiser {
  transport: TransportName;
  host: string;
  port: number;
  advertise?: string;
}

interface Point {
  transport: TransportName;
  host: string;
  port: number;
  advertised: { host: string; port: number | null } | null;
}

export class ServerAddresses implements Addresses {
  readonly #listeners: readonly Advertiser[];
  readonly #transports: TransportLayer;

  /** Throws an Error if an `advertise` is no `host` or `host:port`. */
  constructor(listeners: readonly Advertiser[], transports: TransportLayer) {
    for (const { advertise } of listeners) {
      if (advertise !== undefined && !parseHostPort(advertise)) {
        throw new Error(`The advertised address ${advertise} is neither host nor host:port.`);
      }
    }
    this.#listeners = listeners;
    this.#transports = transports;
  }

  flowTo(target: Target): Promise<Flow> {
    return this.#transports.flowTo(target);
  }

  async localAddress(flow: Flow): Promise<LocalAddress> {
    const { host, port } = await this.#transports.localAddressFor(flow);
    const point = this.#points().find(
      (each) =>
        each.transport === flow.transport &&
        each.port === port &&
        (isWildcard(each.host) || canonicalHost(each.host) === canonicalHost(host)),
    );
    return { host, port, transport: flow.transport, ...told(point) };
  }

  anyLocalAddress(transport: TransportName): LocalAddress {
    const points = this.#points();
    const point = points.find((each) => each.transport === transport) ?? points[0];
    return { host: '127.0.0.1', port: 5060, transport, ...point, ...told(point) };
  }

  /** What is bound. */
  points(): { transport: TransportName; host: string; port: number }[] {
    return this.#points().map(({ transport, host, port }) => ({ transport, host, port }));
  }

  /** `udp/host:port,tcp/host:port` as bound. */
  localPoints(): string {
    return this.#points().map(format).join(',');
  }

  /** The same as advertised. */
  advertisedPoints(): string {
    return this.#points()
      .map((point) => format({ ...point, ...told(point) }))
      .join(',');
  }

  #points(): Point[] {
    return this.#transports.listeningPoints.map(({ transport, host, port }) => {
      const listener = this.#listeners.find(
        (each) =>
          each.transport === transport &&
          canonicalHost(each.host) === canonicalHost(host) &&
          (each.port === port || each.port === 0),
      );
      const advertised = listener?.advertise === undefined ? null : parseHostPort(listener.advertise);
      return { transport, host, port, advertised };
    });
  }
}

function told(point: Point | undefined): { host?: string; port?: number } {
  if (!point?.advertised) return {};
  return { host: point.advertised.host, port: point.advertised.port ?? point.port };
}

function format({ transport, host, port }: { transport: string; host: string; port: number }): string {
  return `${transport}/${bracketed(host)}:${port}`;
}
