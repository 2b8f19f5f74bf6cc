// SDP security descriptions: the a=crypto lines of an offer and ours in the answer (RFC 4568, RFC 6188, RFC 7714 §14.1).
import { MAX_MASTER_KEYS } from '../rtp/srtp/context.ts';
import { MAX_MKI_OCTETS, type SrtpMasterKey, type SrtpParameters } from '../rtp/srtp/master-key.ts';
import { SRTP_SUITES, type SrtpSuite } from '../rtp/srtp/suites.ts';

/** One crypto line. Holds key material: never to be logged. */
export interface CryptoOffer {
  tag: number;
  /** As written; the answer repeats it. */
  suiteName: string;
  /** Null: a suite that we cannot do (F8_128_HMAC_SHA1_80, NULL_HMAC_SHA1_80, …). */
  suite: SrtpSuite | null;
  /** The sender's keys, each with the line's session parameters. Empty without a suite that we can do. */
  keys: SrtpMasterKey[];
  parameters: SrtpParameters;
  /** Session parameters that may not be ignored and that we do not know: the line is invalid (§6.3.7). */
  unknownParameters: string[];
}

export interface CryptoAnswer {
  /** For an `a=` line: `crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…`. */
  attribute: string;
  /** What we send with. Never to be logged. */
  keys: SrtpMasterKey[];
}

const MAX_ATTRIBUTE_LENGTH = 8192;
const MAX_KEYS_PER_LINE = 16;
const MAX_LIFETIME = 2 ** 48;
const DEFAULT_LIFETIME = '2^31';

/** Names of before RFC 6188 that phones still use. */
const SUITE_ALIASES: Record<string, SrtpSuite> = {
  AES_CM_192_HMAC_SHA1_80: 'AES_192_CM_HMAC_SHA1_80',
  AES_CM_192_HMAC_SHA1_32: 'AES_192_CM_HMAC_SHA1_32',
  AES_CM_256_HMAC_SHA1_80: 'AES_256_CM_HMAC_SHA1_80',
  AES_CM_256_HMAC_SHA1_32: 'AES_256_CM_HMAC_SHA1_32',
};

//  1 AES_CM_128_HMAC_SHA1_80 inline:<key||salt>|2^20|1:4;inline:… KDR=10 UNENCRYPTED_SRTCP
//  tag        suite                            |   |   more keys      session parameters
//                                       lifetime   MKI:length
/** Reads the value of a crypto attribute, what follows `a=crypto:`. Null if it makes no sense. Never throws. */
export function readCrypto(attributeValue: string): CryptoOffer | null {
  if (attributeValue.length > MAX_ATTRIBUTE_LENGTH) return null;
  const [tag = '', suiteName = '', ...rest] = attributeValue.trim().split(/\s+/);
  if (!/^\d{1,9}$/.test(tag) || !/^[\w-]+$/.test(suiteName)) return null;
  const suite = suiteOf(suiteName);
  const keyTexts = rest.filter(isKey).flatMap((word) => word.split(';').filter((part) => part !== ''));
  if (keyTexts.length === 0 || keyTexts.length > MAX_KEYS_PER_LINE) return null;
  const { parameters, unknownParameters } = readSessionParameters(rest.filter((word) => !isKey(word)));
  const keys: SrtpMasterKey[] = [];
  for (const text of suite === null ? [] : keyTexts) {
    const key = readKey(text, suite!, parameters);
    if (key === null) return null;
    keys.push(key);
  }
  return { tag: Number(tag), suiteName, suite, keys, parameters, unknownParameters };
}

function isKey(word: string): boolean {
  return /^inline:/i.test(word);
}

function suiteOf(name: string): SrtpSuite | null {
  const upper = name.toUpperCase();
  if (Object.hasOwn(SRTP_SUITES, upper)) return upper as SrtpSuite;
  return Object.hasOwn(SUITE_ALIASES, upper) ? SUITE_ALIASES[upper]! : null;
}

function readKey(text: string, suite: SrtpSuite, parameters: SrtpParameters): SrtpMasterKey | null {
  const [keySalt = '', ...fields] = text.replace(/^inline:/i, '').split('|');
  const lengths = SRTP_SUITES[suite];
  if (!isKey(text) || !/^[A-Za-z0-9+/]+={0,2}$/.test(keySalt) || fields.length > 2) return null;
  // Memory of their own: keys are sent to workers, and a slice of a shared buffer would take the whole of it along.
  const octets = Uint8Array.from(Buffer.from(keySalt, 'base64'));
  if (octets.length !== lengths.key + lengths.salt) return null;
  const key: SrtpMasterKey = {
    suite,
    masterKey: octets.slice(0, lengths.key),
    masterSalt: octets.slice(lengths.key),
    parameters,
  };
  for (const field of fields) {
    if (field.includes(':')) {
      const mki = readMki(field);
      if (mki === null) return null;
      if (mki.length > 0) key.mki = mki;
    } else {
      // A lifetime that cannot be read must not cost us the key: receivers do not enforce it.
      const lifetime = readLifetime(field);
      if (lifetime !== null) key.lifetime = lifetime;
    }
  }
  return key;
}

/** `1066:4`: the number in so many octets. */
function readMki(field: string): Uint8Array | null {
  const match = /^(\d{1,310}):(\d{1,3})$/.exec(field);
  if (match === null) return null;
  const octets = Number(match[2]);
  const hex = BigInt(match[1]!).toString(16);
  // Length 0 is not in the grammar, but can only mean that packets carry none.
  if (octets === 0) return new Uint8Array(0);
  if (octets > MAX_MKI_OCTETS || hex.length > octets * 2) return null;
  return Uint8Array.from(Buffer.from(hex.padStart(octets * 2, '0'), 'hex'));
}

/** `2^20` or a number of packets. */
function readLifetime(field: string): number | null {
  const match = /^(?:2\^(\d{1,2})|(\d{1,15}))$/.exec(field);
  if (match === null) return null;
  const packets = match[1] === undefined ? Number(match[2]) : 2 ** Number(match[1]);
  return packets >= 1 && packets <= MAX_LIFETIME ? packets : null;
}

function readSessionParameters(words: string[]): { parameters: SrtpParameters; unknownParameters: string[] } {
  const parameters: SrtpParameters = {};
  const unknownParameters: string[] = [];
  for (const word of words) {
    const [name = '', value = ''] = word.split('=', 2);
    switch (name.toUpperCase()) {
      case 'UNENCRYPTED_SRTP':
        parameters.unencryptedRtp = true;
        break;
      case 'UNENCRYPTED_SRTCP':
        parameters.unencryptedRtcp = true;
        break;
      case 'UNAUTHENTICATED_SRTP':
        parameters.unauthenticatedRtp = true;
        break;
      case 'KDR':
        if (/^\d{1,2}$/.test(value) && Number(value) >= 1 && Number(value) <= 24) {
          parameters.keyDerivationRate = 2 ** Number(value);
        } else unknownParameters.push(name);
        break;
      // Error correction is not decoded, and the replay window is larger than any hint asks for: nothing to do for these.
      case 'FEC_ORDER':
      case 'FEC_KEY':
      case 'WSH':
        break;
      default:
        if (!word.startsWith('-')) unknownParameters.push(name);
    }
  }
  return { parameters, unknownParameters };
}

/**
 * The line to answer: the first in the client's order, which is its order of preference (§5.1.1), that we can do. Lines
 * without encryption or authentication of RTP only if there is no other. Null if we can do none.
 */
export function chooseCrypto(offers: readonly CryptoOffer[]): CryptoOffer | null {
  const usable = offers.filter(isUsable);
  return usable.find((offer) => isStrong(offer)) ?? usable[0] ?? null;
}

function isUsable(offer: CryptoOffer): boolean {
  if (offer.suite === null || offer.keys.length === 0 || offer.unknownParameters.length > 0) return false;
  // GCM cannot do the one without the other: such a line contradicts itself.
  return isStrong(offer) || !SRTP_SUITES[offer.suite].aead;
}

function isStrong({ parameters }: CryptoOffer): boolean {
  return parameters.unencryptedRtp !== true && parameters.unauthenticatedRtp !== true;
}

/**
 * The keys under which packets of this m-line may come, for createSrtpContext; empty if none can be read. Not those of
 * the chosen line alone: proxies fork what the phone sends, and the phone uses the line that its peer has chosen. A key
 * with an MKI also appears without, because senders that announce one do not all send it.
 */
export function receivingKeys(offers: readonly CryptoOffer[]): SrtpMasterKey[] {
  const chosen = chooseCrypto(offers);
  const lines = offers.filter((offer) => offer !== chosen && offer.suite !== null);
  if (chosen !== null) lines.unshift(chosen);
  const keys = lines.flatMap((line) => line.keys);
  const withoutMki = keys.filter((key) => key.mki !== undefined).map(({ mki: _, ...key }) => key);
  return [...keys, ...withoutMki].slice(0, MAX_MASTER_KEYS);
}

/**
 * What we send with under that suite.
 * @param random so many random octets, e.g. randomBytes of node:crypto
 */
export function freshMasterKey(suite: SrtpSuite, random: (octets: number) => Uint8Array): SrtpMasterKey {
  const { key, salt } = SRTP_SUITES[suite];
  return { suite, masterKey: Uint8Array.from(random(key)), masterSalt: Uint8Array.from(random(salt)) };
}

/**
 * Our line for the answer, with that key of ours: tag and suite as offered, and the parameters that bind both sides (§6.3.2,
 * §6.3.3). KDR and MKI are each sender's own business, and ours has none. A lifetime is stated if the client states one,
 * since some insist.
 * Throws RangeError if the key is for another suite.
 */
export function answerWithKey(chosen: CryptoOffer, { suite, masterKey, masterSalt }: SrtpMasterKey): CryptoAnswer {
  const { tag, suiteName } = chosen;
  if (suite !== chosen.suite) throw new RangeError('a crypto line is answered with a key for its own suite');
  const { unencryptedRtp, unencryptedRtcp, unauthenticatedRtp } = chosen.parameters;
  const words = [`crypto:${tag}`, suiteName];
  const lifetime = chosen.keys.some((key) => key.lifetime !== undefined) ? `|${DEFAULT_LIFETIME}` : '';
  words.push(`inline:${Buffer.concat([masterKey, masterSalt]).toString('base64')}${lifetime}`);
  const parameters: SrtpParameters = {};
  if (unencryptedRtp) {
    parameters.unencryptedRtp = true;
    words.push('UNENCRYPTED_SRTP');
  }
  if (unencryptedRtcp) {
    parameters.unencryptedRtcp = true;
    words.push('UNENCRYPTED_SRTCP');
  }
  if (unauthenticatedRtp) {
    parameters.unauthenticatedRtp = true;
    words.push('UNAUTHENTICATED_SRTP');
  }
  const key: SrtpMasterKey = { suite, masterKey, masterSalt, parameters };
  if (lifetime !== '') key.lifetime = 2 ** 31;
  return { attribute: words.join(' '), keys: [key] };
}

/** The same with a fresh key. Throws RangeError if the line has no suite that we can do. */
export function answerCrypto(chosen: CryptoOffer, random: (octets: number) => Uint8Array): CryptoAnswer {
  if (chosen.suite === null) throw new RangeError('a crypto line of an unknown suite cannot be answered');
  return answerWithKey(chosen, freshMasterKey(chosen.suite, random));
}
