// Comparison of the shared secret in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';

/** Hashing first makes the lengths equal, so that neither the time nor an error tells how much of a guess was right. */
export function secretsMatch(offered: string, expected: string): boolean {
  return timingSafeEqual(digest(offered), digest(expected));
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}
