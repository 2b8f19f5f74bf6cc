// An encrypted file: a header, then chunks of AES-256-GCM (NIST SP 800-38D), each of which can be opened by itself.
//
//   octets  0..7    "SIPREELE"
//           8       version, 1
//           9       chunk size as a power of two: 16
//          10..15   0
//          16..47   salt
//   then chunks of 65,536 encrypted octets and a tag of 16; the last one is shorter or full, and there is always one
//
// key of the file = HKDF-SHA-256 (RFC 5869) of the recording's key, the salt, and the file's name as information. No two files share
// a key, so the nonce counts: 7 octets 0, the chunk's number as 4 octets, 1 for the last chunk and 0 for others. A chunk that was
// changed, moved, taken from another file or recording, or left out at the end does not open.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

export const HEADER_OCTETS = 48;
export const CHUNK_OCTETS = 1 << 16;
export const TAG_OCTETS = 16;
export const SALT_OCTETS = 32;

const MAGIC = Buffer.from('SIPREELE', 'latin1');
const VERSION = 1;
const CHUNK_POWER = 16;
const SALT_AT = 16;

export function headerOf(salt: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS);
  MAGIC.copy(header);
  header[8] = VERSION;
  header[9] = CHUNK_POWER;
  salt.copy(header, SALT_AT);
  return header;
}

/** Throws a sentence if it is none of ours. */
export function saltOf(header: Buffer): Buffer {
  if (header.length < HEADER_OCTETS || !header.subarray(0, 8).equals(MAGIC))
    throw new Error('it has no header of ours');
  if (header[8] !== VERSION || header[9] !== CHUNK_POWER) throw new Error(`its version ${header[8]} is not known`);
  return header.subarray(SALT_AT, SALT_AT + SALT_OCTETS);
}

export function chunksOf(plainOctets: number): number {
  return Math.max(1, Math.ceil(plainOctets / CHUNK_OCTETS));
}

export function encryptedOctets(plainOctets: number): number {
  return HEADER_OCTETS + plainOctets + chunksOf(plainOctets) * TAG_OCTETS;
}

/** Null if no file of ours has that length. */
export function plainOctets(encrypted: number): number | null {
  const body = encrypted - HEADER_OCTETS;
  const chunks = Math.ceil(body / (CHUNK_OCTETS + TAG_OCTETS));
  const plain = body - chunks * TAG_OCTETS;
  return plain >= 0 && encryptedOctets(plain) === encrypted ? plain : null;
}

export function fileKey(recordingKey: Buffer, salt: Buffer, name: string): Buffer {
  return Buffer.from(hkdfSync('sha256', recordingKey, salt, `sipreel file ${VERSION} ${name}`, 32));
}

export function sealChunk(key: Buffer, header: Buffer, index: number, isLast: boolean, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(index, isLast));
  cipher.setAAD(header);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws if it is not exactly what was sealed. */
export function openChunk(key: Buffer, header: Buffer, index: number, isLast: boolean, sealed: Buffer): Buffer {
  if (sealed.length < TAG_OCTETS) throw new Error('the chunk is cut short');
  const body = sealed.length - TAG_OCTETS;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(index, isLast), { authTagLength: TAG_OCTETS });
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(body));
  return Buffer.concat([decipher.update(sealed.subarray(0, body)), decipher.final()]);
}

function nonce(index: number, isLast: boolean): Buffer {
  const octets = Buffer.alloc(12);
  octets.writeUInt32BE(index, 7);
  octets[11] = isLast ? 1 : 0;
  return octets;
}
