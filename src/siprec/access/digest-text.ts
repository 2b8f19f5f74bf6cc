// What both sides of digest authentication read and reckon (RFC 7616 §3.4, RFC 8760).
import { createHash } from 'node:crypto';
import { splitOutsideQuotes } from '../sip-headers.ts';

/** The preferred one first (RFC 8760 §2.4). */
export const ALGORITHMS = [
  { name: 'SHA-256', hash: 'sha256' },
  { name: 'MD5', hash: 'md5' },
] as const;

export type AlgorithmName = (typeof ALGORITHMS)[number]['name'];

const MAX_LENGTH = 4_096;

/** The parameters behind `Digest`, without their quotes, by their names in lower case; null for another scheme, or too long a text. */
export function digestParameters(value: string): Map<string, string> | null {
  const scheme = /^\s*digest\s+/i.exec(value);
  if (!scheme || value.length > MAX_LENGTH) return null;
  const parameters = new Map<string, string>();
  for (const piece of splitOutsideQuotes(value.slice(scheme[0].length), ',')) {
    const equals = piece.indexOf('=');
    const name = piece.slice(0, Math.max(0, equals)).trim().toLowerCase();
    if (name !== '' && !parameters.has(name)) parameters.set(name, unquote(piece.slice(equals + 1).trim()));
  }
  return parameters;
}

export function algorithmNamed(text: string): AlgorithmName | null {
  return ALGORITHMS.find(({ name }) => name === text.toUpperCase())?.name ?? null;
}

export function hexOf(hash: 'sha256' | 'md5', text: string): string {
  return createHash(hash).update(text).digest('hex');
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, text.endsWith('"') ? -1 : undefined).replace(/\\(.)/g, '$1') : text;
}
