// Random texts that let somebody in. Only their SHA-256 is kept: with 256 bits of chance nothing slower is needed.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 bits, 43 characters that need no quoting anywhere. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Hex. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** In constant time. Both are digests of `digest`. */
export function sameDigest(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')];
  return left.length === 32 && right.length === 32 && timingSafeEqual(left, right);
}
