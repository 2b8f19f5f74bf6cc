// What key management agrees on for one master key (RFC 3711 §3.2.1, §8.2). Plain data, so that it can be sent to a worker.
import { SRTP_SUITES, type SrtpSuite } from './suites.ts';

/** Holds key material: never to be logged. */
export interface SrtpMasterKey {
  suite: SrtpSuite;
  /** As long as the suite wants it (SRTP_SUITES). */
  masterKey: Uint8Array;
  masterSalt: Uint8Array;
  /** The master key identifier as it stands in the packets, 1 to 128 octets; absent or empty: packets carry none. */
  mki?: Uint8Array;
  /** Packets that may be sent with this key. Kept by senders; a receiver does not enforce it, since that would lose media. */
  lifetime?: number;
  parameters?: SrtpParameters;
}

/** Departures from the suite's defaults. Suites of RFC 7714 always encrypt and authenticate RTP and ignore the wish not to. */
export interface SrtpParameters {
  /** Packets per key derivation, a power of two; absent or 0: keys are derived once. */
  keyDerivationRate?: number;
  unencryptedRtp?: boolean;
  unencryptedRtcp?: boolean;
  /** RTP carries no authentication tag. RTCP always does. */
  unauthenticatedRtp?: boolean;
}

/** RFC 4568 §6.1. */
export const MAX_MKI_OCTETS = 128;

/** What is wrong with the lengths, without showing the key; null if nothing is. */
export function masterKeyFault(key: SrtpMasterKey): string | null {
  const lengths = SRTP_SUITES[key.suite];
  if (lengths === undefined) return 'unknown SRTP suite';
  if (key.masterKey.length !== lengths.key) return `${key.suite} needs a master key of ${lengths.key} octets`;
  if (key.masterSalt.length !== lengths.salt) return `${key.suite} needs a master salt of ${lengths.salt} octets`;
  if ((key.mki?.length ?? 0) > MAX_MKI_OCTETS) return `an MKI has at most ${MAX_MKI_OCTETS} octets`;
  const rate = key.parameters?.keyDerivationRate ?? 0;
  if (rate !== 0 && !(Number.isInteger(Math.log2(rate)) && rate >= 1 && rate <= 2 ** 24)) {
    return 'a key derivation rate is a power of two up to 2^24';
  }
  return null;
}

/** Whether two keys protect alike. */
export function sameMasterKey(a: SrtpMasterKey, b: SrtpMasterKey): boolean {
  const { parameters: p = {} } = a;
  const { parameters: q = {} } = b;
  return (
    a.suite === b.suite &&
    sameOctets(a.masterKey, b.masterKey) &&
    sameOctets(a.masterSalt, b.masterSalt) &&
    sameOctets(a.mki ?? NO_OCTETS, b.mki ?? NO_OCTETS) &&
    (p.keyDerivationRate ?? 0) === (q.keyDerivationRate ?? 0) &&
    (p.unencryptedRtp ?? false) === (q.unencryptedRtp ?? false) &&
    (p.unencryptedRtcp ?? false) === (q.unencryptedRtcp ?? false) &&
    (p.unauthenticatedRtp ?? false) === (q.unauthenticatedRtp ?? false)
  );
}

const NO_OCTETS = new Uint8Array(0);

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}
