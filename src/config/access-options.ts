// The settings of section `access` as the gate wants them.
import type { AccessOptions } from '../siprec/access/gate.ts';
import { parseSipListener } from './addresses.ts';
import type { Config } from './schema.ts';

export function accessOptions({ access }: Config): Omit<AccessOptions, 'clock' | 'log'> {
  const general = { sources: access.sources, digest: access.digest };
  return {
    general,
    listeners: access.listeners.map(({ listen, sources = general.sources, digest = general.digest }) => ({
      listener: parseSipListener(listen)!,
      rule: { sources, digest },
    })),
    limit: { calls: access.callsPerSource, callsPerSecond: access.callsPerSecondPerSource },
    realm: access.realm,
    users: access.users,
    nonceLifeMs: access.nonceSeconds * 1000,
    silent: access.silent,
    scanners: access.scanners,
  };
}
