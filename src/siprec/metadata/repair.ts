// Makes well-formed XML of what clients send instead: unescaped & and <, elements left open, stray end tags.
// What a person would read as text becomes text; the elements of RFC 7865 keep their places.

const KNOWN_ELEMENTS = new Set(
  `recording recordingmetadata recordingsession datamode group session participant nameid name aor stream label
  send recv associatetime disassociatetime starttime stoptime sipsessionid reason groupref param mode contenttype
  sessionrecordingassoc participantsessionassoc participantstreamassoc extensiondata`.split(/\s+/),
);

const MAX_DEPTH = 64;
const MAX_LOOSE_TAG = 4096;
const NAME = /[A-Za-z_][\w.:-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_][\w.:-]*)\s*=\s*("[^"]*"|'[^']*')/y;
const TAG_END = /\s*(\/?)>/y;
const END_TAG = /<\/\s*([A-Za-z_][\w.:-]*)\s*>/y;

/** The XML library refuses documents with these names. */
const REFUSED_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

interface OpenElement {
  name: string;
  known: boolean;
  /** Where its start tag stands in the output, and what it looked like, in case it turns out to be text. */
  at: number;
  source: string;
}

/** `session_id`, `sessionID` and `session-id` are one name to us. */
export function foldName(name: string): string {
  const local = name.slice(name.lastIndexOf(':') + 1);
  return local.toLowerCase().replace(/[-_]/g, '');
}

/** Well-formed XML with the same meaning as far as it has one. No declaration, comments, CDATA, DOCTYPE or entities remain. */
export function repairXml(source: string): string {
  const output: string[] = [];
  const open: OpenElement[] = [];
  const marks = new Marks(source);
  let at = 0;

  const close = (element: OpenElement) => output.push(`</${element.name}>`);
  const endTag = (name: string, text: string) => {
    const match = open.findLastIndex((element) => element.name === name);
    if (match < 0) {
      // Nothing to close: part of a name perhaps. A stray end tag of the format itself is noise.
      if (!KNOWN_ELEMENTS.has(foldName(name))) output.push(escapeText(text));
      return;
    }
    for (const element of open.splice(match).reverse()) {
      // An unknown element that its parent outlives was no element: `Smith & <Sons></name>`.
      if (element.known || element.name === name) close(element);
      else output[element.at] = escapeText(element.source);
    }
  };

  while (at < source.length) {
    const angle = source.indexOf('<', at);
    if (angle !== at) {
      const end = angle < 0 ? source.length : angle;
      output.push(escapeText(source.slice(at, end)));
      at = end;
      continue;
    }
    const skipped = skipMarkup(source, marks, at, output);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    END_TAG.lastIndex = at;
    const end = END_TAG.exec(source);
    if (end) {
      endTag(safeName(end[1] ?? ''), end[0]);
      at = END_TAG.lastIndex;
      continue;
    }
    const start = open.length < MAX_DEPTH ? readStartTag(source, at) : null;
    if (!start) {
      output.push('&lt;');
      at++;
      continue;
    }
    if (!start.selfClosing) {
      const known = KNOWN_ELEMENTS.has(foldName(start.name));
      open.push({ name: start.name, known, at: output.length, source: source.slice(at, start.end) });
    }
    output.push(start.xml);
    at = start.end;
  }
  for (const element of open.reverse()) close(element);
  return output.join('');
}

/** Finds ends of markup. A mark that does not occur any more is not looked for again: hostile text has thousands of beginnings. */
class Marks {
  readonly #source: string;
  readonly #gone = new Set<string>();

  constructor(source: string) {
    this.#source = source;
  }

  /** The place behind the next `mark`, null if there is none. */
  after(mark: string, from: number): number | null {
    if (this.#gone.has(mark)) return null;
    const found = this.#source.indexOf(mark, from);
    if (found >= 0) return found + mark.length;
    this.#gone.add(mark);
    return null;
  }
}

/** Comments, processing instructions and the DOCTYPE vanish; CDATA becomes text. Returns where to go on, `at` if there is none of these. */
function skipMarkup(source: string, marks: Marks, at: number, output: string[]): number {
  if (source.startsWith('<!--', at)) return marks.after('-->', at + 4) ?? at;
  if (source.startsWith('<?', at)) return marks.after('?>', at + 2) ?? at;
  if (source.startsWith('<![CDATA[', at)) {
    const end = marks.after(']]>', at + 9);
    if (end !== null) output.push(escapeText(source.slice(at + 9, end - 3).replace(/&/g, '&amp;')));
    return end ?? at;
  }
  return /^<!doctype/i.test(source.slice(at, at + 9)) ? endOfDoctype(source, marks, at) : at;
}

function endOfDoctype(source: string, marks: Marks, at: number): number {
  const plainEnd = marks.after('>', at);
  const subset = marks.after('[', at);
  if (subset === null || plainEnd === null || subset > plainEnd) return plainEnd ?? source.length;
  const subsetEnd = marks.after(']', subset);
  return (subsetEnd === null ? null : marks.after('>', subsetEnd)) ?? source.length;
}

function readStartTag(
  source: string,
  at: number,
): { name: string; xml: string; selfClosing: boolean; end: number } | null {
  NAME.lastIndex = at + 1;
  const written = NAME.exec(source)?.[0];
  if (!written) return null;
  const name = safeName(written);
  let xml = `<${name}`;
  let position = NAME.lastIndex;
  const seen = new Set<string>();
  for (;;) {
    ATTRIBUTE.lastIndex = position;
    const attribute = ATTRIBUTE.exec(source);
    if (!attribute) break;
    const [, attributeName = '', quoted = ''] = attribute;
    if (!seen.has(attributeName)) xml += ` ${safeName(attributeName)}="${escapeAttribute(quoted.slice(1, -1))}"`;
    seen.add(attributeName);
    position = ATTRIBUTE.lastIndex;
  }
  TAG_END.lastIndex = position;
  const end = TAG_END.exec(source);
  if (end) return { name, xml: `${xml}${end[1]}>`, selfClosing: end[1] === '/', end: TAG_END.lastIndex };
  return KNOWN_ELEMENTS.has(foldName(name)) ? readLooseTag(source, at, written) : null;
}

/** A known element whose attributes have no quotes, or quotes inside: they end where the next `name=` begins. */
function readLooseTag(source: string, at: number, name: string): ReturnType<typeof readStartTag> {
  const length = source.slice(at, at + MAX_LOOSE_TAG).indexOf('>');
  if (length < 0) return null;
  const inside = source.slice(at + 1 + name.length, at + length);
  const selfClosing = inside.endsWith('/');
  const content = (selfClosing ? inside.slice(0, -1) : inside).trim();
  let xml = `<${name}`;
  const seen = new Set<string>();
  for (const piece of content.split(/\s+(?=[A-Za-z_][\w.:-]*\s*=)/)) {
    const match = /^([A-Za-z_][\w.:-]*)\s*=\s*(.*)$/s.exec(piece);
    if (!match || seen.has(match[1] ?? '')) continue;
    seen.add(match[1] ?? '');
    xml += ` ${match[1]}="${escapeAttribute((match[2] ?? '').trim().replace(/^["']|["']$/g, ''))}"`;
  }
  return { name, xml: `${xml}${selfClosing ? '/' : ''}>`, selfClosing, end: at + length + 1 };
}

function safeName(name: string): string {
  return REFUSED_NAMES.has(name) ? `${name}_` : name;
}

function escapeText(text: string): string {
  return escapeAmpersands(text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, ''))
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;');
}

function escapeAttribute(text: string): string {
  return escapeText(text).replace(/"/g, '&quot;');
}

/** Only the predefined entities and character references are references; every other & is a character. */
function escapeAmpersands(text: string): string {
  return text.replace(/&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)/g, '&amp;');
}
