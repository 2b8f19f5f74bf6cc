// One announced RTP stream of a call: always G.711 µ-law at 8 kHz, whatever its rtpmap says.
import { isIP } from 'node:net';
import type { AnnouncedAddress, AnnouncedPort, MediaFormat, OfferedStream } from '../recording/media.ts';
import type { AnnouncedMedia, Side } from './datagram.ts';

/** mod_oreka encodes by itself; the rate in its rtpmap is that of the channel's codec. */
const PCMU: MediaFormat = { payloadType: 0, encoding: 'PCMU', clockRateHz: 8_000, channels: 1, fmtp: null };

/**
 *   binding ──▶ bound ──BYE, or announced anew──▶ removed
 *      └──────────┴──the port cannot be had──▶ unavailable
 */
export type CallStreamState = 'binding' | 'bound' | 'unavailable' | 'removed';

export interface CallStream {
  /** `rx`, `tx`; a side that is announced anew on another port gets `rx#2` and so on. */
  readonly key: string;
  readonly side: Side;
  readonly port: AnnouncedPort;
  state: CallStreamState;
}

export function sideOf(key: string): Side {
  return key.startsWith('rx') ? 'rx' : 'tx';
}

export function offered({ key, side, port }: CallStream): OfferedStream {
  return { key, label: side.toUpperCase(), formats: [PCMU], sending: true, announced: port };
}

/** `localHost` stands in for a `c=` that is no IP address. */
export function addressOf({ host, port, sourceHost }: AnnouncedMedia, localHost: string): AnnouncedAddress {
  const ourHost = host ?? localHost;
  // Towards an IPv6 recorder o= still says an IPv4 address, and the RTP comes from an IPv6 one.
  const sameFamily = sourceHost !== null && isIP(sourceHost) === isIP(ourHost);
  return { host: ourHost, port, sourceHost: sameFamily ? sourceHost : null };
}

export function sameAddress(one: AnnouncedAddress, other: AnnouncedAddress): boolean {
  return one.port === other.port && one.host === other.host && one.sourceHost === other.sourceHost;
}
