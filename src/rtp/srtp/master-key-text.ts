// A master key as JSON can hold it, for the state of a running recording and for workers.
import type { SrtpMasterKey, SrtpParameters } from './master-key.ts';
import { SRTP_SUITES, type SrtpSuite } from './suites.ts';

/** Holds key material: never to be logged. */
export interface MasterKeyText {
  suite: SrtpSuite;
  /** Master key and master salt in base64, as `inline:` has them (RFC 4568 §6.1). */
  keySalt: string;
  /** In hexadecimal; absent: packets carry none. */
  mki?: string;
  /** Packets. */
  lifetime?: number;
  parameters?: SrtpParameters;
}

export function writeMasterKey(key: SrtpMasterKey): MasterKeyText {
  const { suite, masterKey, masterSalt, mki, lifetime, parameters } = key;
  const text: MasterKeyText = { suite, keySalt: Buffer.concat([masterKey, masterSalt]).toString('base64') };
  if (mki !== undefined && mki.length > 0) text.mki = Buffer.from(mki).toString('hex');
  if (lifetime !== undefined) text.lifetime = lifetime;
  if (parameters !== undefined && Object.keys(parameters).length > 0) text.parameters = parameters;
  return text;
}

/** What it reads may be nonsense: whoever uses the key checks its lengths (masterKeyFault). */
export function readMasterKey(text: MasterKeyText): SrtpMasterKey {
  const { suite, keySalt, mki, lifetime, parameters } = text;
  const octets = Uint8Array.from(Buffer.from(keySalt, 'base64'));
  const keyOctets = SRTP_SUITES[suite]?.key ?? 0;
  const key: SrtpMasterKey = { suite, masterKey: octets.slice(0, keyOctets), masterSalt: octets.slice(keyOctets) };
  if (mki !== undefined) key.mki = Uint8Array.from(Buffer.from(mki, 'hex'));
  if (lifetime !== undefined) key.lifetime = lifetime;
  if (parameters !== undefined) key.parameters = parameters;
  return key;
}
