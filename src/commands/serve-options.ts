// The options that `serve` shares with other commands, and how they lie over the configuration file.
import type { ParseArgsConfig } from 'node:util';
import type { Config, ConfigInput } from '../config/schema.ts';

export const CONFIG_OPTIONS = {
  config: { type: 'string' },
  data: { type: 'string' },
  sip: { type: 'string', multiple: true },
  oreka: { type: 'string', multiple: true },
  http: { type: 'string', multiple: true },
  'media-address': { type: 'string' },
  'rtp-ports': { type: 'string' },
  drachtio: { type: 'string' },
  'drachtio-secret': { type: 'string' },
  'log-level': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export const CONFIG_OPTIONS_USAGE = `  --config FILE            YAML configuration; options below override it
  --data DIR               where everything is stored (./data)
  --sip udp:HOST:PORT      listen there, also tcp: and tls:; may be repeated (udp and tcp on 0.0.0.0:5060)
  --oreka HOST:PORT        hear mod_oreka there; may be repeated (0.0.0.0:15060); "off" for not at all
  --http HOST:PORT         the HTTP API there; may be repeated (127.0.0.1:8060); "off" for not at all
  --media-address IP       address in our SDP answers (the one that faces the client)
  --rtp-ports A-B          port range for RTP and RTCP (40000-64999)
  --drachtio HOST:PORT     use this drachtio server instead of the embedded one
  --drachtio-secret S      its secret (or SIPREEL_DRACHTIO_SECRET in the environment)
  --log-level LEVEL        debug, info, warn or error`;

export type ConfigFlags = {
  [Name in keyof typeof CONFIG_OPTIONS]?: Name extends 'sip' | 'oreka' | 'http' ? string[] : string;
} & { 'event-socket'?: string };

/** Rejects with CONFIG_INVALID and every mistake, whichever source it came from. */
export async function configFromFlags(flags: ConfigFlags): Promise<Config> {
  const overrides: ConfigInput = {};
  if (flags.data !== undefined) overrides.data = flags.data;
  if (flags.sip !== undefined) overrides.sip = { listen: flags.sip };
  if (flags.oreka !== undefined) overrides.oreka = { listen: flags.oreka.filter((address) => address !== 'off') };
  if (flags.http !== undefined) overrides.http = { listen: flags.http.filter((address) => address !== 'off') };
  if (flags['media-address'] !== undefined || flags['rtp-ports'] !== undefined) {
    overrides.rtp = { mediaAddress: flags['media-address'], ports: flags['rtp-ports'] };
  }
  if (flags.drachtio !== undefined || flags['drachtio-secret'] !== undefined) {
    overrides.drachtio = { address: flags.drachtio, secret: flags['drachtio-secret'] };
  }
  if (flags['event-socket'] !== undefined) overrides.freeswitch = { eventSocket: flags['event-socket'] };
  // The schema checks the value and names it if it is wrong.
  if (flags['log-level'] !== undefined) overrides.log = { level: flags['log-level'] as 'info' };
  // Only now: help and wrong arguments are answered without the schema.
  const { loadConfig } = await import('../config/load.ts');
  return loadConfig({ file: flags.config, environment: process.env, overrides });
}
