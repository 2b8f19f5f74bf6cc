// The HTTP door's settings in its own units.
import type { HttpSettings } from '../http/parts.ts';
import { parseHostPort } from './addresses.ts';
import type { Config } from './schema.ts';

const HOUR_MS = 3_600_000;

export function httpSettings({ http, outgoing }: Config): HttpSettings {
  const { hosts, trustedProxies, metrics, requestsPerMinute } = http;
  return {
    listen: http.listen.map((text) => parseHostPort(text)!),
    hosts,
    trustedProxies,
    metrics,
    requestsPerMinute,
    importMaxOctets: Math.round(http.importMaxMiB * 2 ** 20),
    outgoingClients: outgoing.clients,
    sessionMs: http.sessionHours * HOUR_MS,
    sessionIdleMs: http.sessionIdleHours * HOUR_MS,
  };
}
