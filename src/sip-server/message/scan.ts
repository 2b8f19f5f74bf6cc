// Splitting header values where quotes and angle brackets protect separators (RFC 3261 §7.3.1, §25.1). Linear time.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x3c;
const CLOSE = 0x3e;

function isLws(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}

/** Takes LWS (§25.1) off both ends. String.trim() would also take NBSP and BOM, which belong to values. */
export function trimLws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isLws(text.charCodeAt(start))) start++;
  while (end > start && isLws(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** The index of the quote that ends the quoted string beginning at `start`, or -1 if it never ends. */
export function quotedStringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i++;
    else if (c === QUOTE) return i;
  }
  return -1;
}

/**
 * Splits at `separator` outside quoted strings and angle brackets; parts are trimmed, empty ones kept.
 * An unclosed quote or bracket protects the rest of the text.
 */
export function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  const separatorCode = separator.charCodeAt(0);
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = quotedStringEnd(text, i);
      if (end < 0) break;
      i = end;
    } else if (c === OPEN) depth++;
    else if (c === CLOSE) depth = Math.max(0, depth - 1);
    else if (c === separatorCode && depth === 0) {
      parts.push(trimLws(text.slice(from, i)));
      from = i + 1;
    }
  }
  parts.push(trimLws(text.slice(from)));
  return parts;
}

/** A parameter value without its quotes and backslashes; any other value as it is. */
export function unquote(value: string): string {
  if (value.length < 2 || value.charCodeAt(0) !== QUOTE || !value.endsWith('"')) return value;
  return value.slice(1, -1).replace(/\\(.)/gs, '$1');
}

/**
 * Parameters `a=1;b;c="x;y"` as a map: keys in lower case, first one wins, quotes taken off, null for a bare name.
 * `parts` come from splitOutside(text, ';').
 */
export function parseParams(parts: readonly string[]): Map<string, string | null> {
  const params = new Map<string, string | null>();
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = trimLws(equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    if (name === '' || params.has(name)) continue;
    params.set(name, equals < 0 ? null : unquote(trimLws(part.slice(equals + 1))));
  }
  return params;
}
