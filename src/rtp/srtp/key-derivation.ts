// Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11).
import { createCipheriv } from 'node:crypto';
import type { SrtpMasterKey } from './master-key.ts';
import { SRTP_SUITES } from './suites.ts';

/** RTP and RTCP never share session keys. */
export type Flow = 'rtp' | 'rtcp';

export interface SessionKeys {
  encryptionKey: Buffer;
  /** Empty for AEAD suites. */
  authenticationKey: Buffer;
  salt: Buffer;
}

const FIRST_LABEL: Record<Flow, number> = { rtp: 0, rtcp: 3 };
const AUTHENTICATION_KEY_OCTETS = 20;
const BLOCK_OCTETS = 16;

/** @param r packet index DIV key derivation rate, 0 if the rate is 0 */
export function deriveSessionKeys(master: SrtpMasterKey, flow: Flow, r: number): SessionKeys {
  const { key, salt, aead } = SRTP_SUITES[master.suite];
  const { masterKey, masterSalt } = master;
  const label = FIRST_LABEL[flow];
  return {
    encryptionKey: deriveKey(masterKey, masterSalt, label, r, key),
    authenticationKey: deriveKey(masterKey, masterSalt, label + 1, r, aead ? 0 : AUTHENTICATION_KEY_OCTETS),
    salt: deriveKey(masterKey, masterSalt, label + 2, r, salt),
  };
}

//   octet  0        6 7 8            13 14 15
//         +----------+-+---------------+-----+
//         |    0     |L|       r       |  0  |   label and r, 48 bits for RTCP as well (erratum 3712)
//         +----------+-+---------------+-----+
//     XOR |   master salt, 12 or 14 octets   |
//         +----------------------------------+
//       = the first counter block of the key stream that is the session key
/** The pseudo-random function AES_CM_PRF with the label's key identifier. */
export function deriveKey(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  label: number,
  r: number,
  octets: number,
): Buffer {
  const counter = Buffer.alloc(BLOCK_OCTETS);
  counter.set(masterSalt);
  counter[7] = counter[7]! ^ label;
  const index = Buffer.alloc(6);
  index.writeUIntBE(r, 0, 6);
  for (let at = 0; at < 6; at++) counter[8 + at] = counter[8 + at]! ^ index[at]!;
  return createCipheriv(`aes-${masterKey.length * 8}-ctr`, masterKey, counter).update(Buffer.alloc(octets));
}
