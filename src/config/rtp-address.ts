// Where the RTP ports are bound: a client of either family has to reach them.
import { isIPv6 } from 'node:net';
import { parseSipListener } from './addresses.ts';
import type { Config } from './schema.ts';

/** As configured; else `::`, which takes both families, if SIP is taken over IPv6, and `0.0.0.0` if not. */
export function rtpBindAddress({ rtp, sip, drachtio }: Pick<Config, 'rtp' | 'sip' | 'drachtio'>): string {
  if (rtp.bindAddress !== null) return rtp.bindAddress;
  // Behind a drachtio-server, clients of both families may come; IPv4 is everywhere.
  if (drachtio.address !== null) return '0.0.0.0';
  return sip.listen.some((text) => isIPv6(parseSipListener(text)?.host ?? '')) ? '::' : '0.0.0.0';
}
