// XML text to a tree of elements. No DTD, no entities beyond the five predefined and character references (XML 1.0 §4.6, §4.1).
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { Warning } from '../../recording/call.ts';
import { repairXml } from './repair.ts';

export interface XmlElement {
  /** Without prefix. */
  name: string;
  namespace: string | null;
  /** By name without prefix; `xmlns` declarations are left out. */
  attributes: Map<string, string>;
  children: XmlElement[];
  /** Its own text, without that of its children. */
  text: string;
}

const MAX_DEPTH = 64;
/** Repairing text that is broken all over takes seconds per MiB, for which everybody would wait. */
const MAX_REPAIRED_CHARACTERS = 128 << 10;
const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  allowBooleanAttributes: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // The library would also read entity declarations; references are resolved here instead, and a DOCTYPE never gets this far.
  processEntities: false,
  cdataPropName: CDATA,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH + 2,
  jPath: false,
});

type Node = Record<string, unknown>;

/** The document's root elements: one, or more if the text is broken. Broken XML is repaired, with a warning; never throws. */
export function readXml(text: string, warnings: Warning[]): XmlElement[] {
  // UTF-16 that came through SIP's UTF-8: its order mark became U+FFFD, its characters have NULs between them.
  const source = text.replaceAll('\u0000', '').replace(/^[\uFEFF\uFFFD]+/, '');
  const hasDoctype = /<!doctype/i.test(source);
  if (hasDoctype) {
    warnings.push({
      code: 'metadata-doctype',
      message: 'The metadata has a DOCTYPE; it and its entities were ignored.',
    });
  } else {
    const elements = parseWellFormed(source);
    if (elements) return elements;
    warnings.push({
      code: 'metadata-malformed',
      message: 'The metadata is not well-formed XML and was repaired as well as possible.',
    });
    if (source.length > MAX_REPAIRED_CHARACTERS) {
      warnings.push({
        code: 'metadata-cut',
        message: `Of ${source.length} characters only the first ${MAX_REPAIRED_CHARACTERS} were repaired and read; all are kept.`,
      });
    }
  }
  try {
    return toElements(parser.parse(repairXml(source.slice(0, MAX_REPAIRED_CHARACTERS))), new Map(), 0);
  } catch (error) {
    warnings.push({
      code: 'metadata-unreadable',
      message: `The metadata could not be read: ${String(error).slice(0, 200)}`,
    });
    return [];
  }
}

function parseWellFormed(source: string): XmlElement[] | null {
  try {
    if (XMLValidator.validate(source, { allowBooleanAttributes: true }) !== true) return null;
    return toElements(parser.parse(source), new Map(), 0);
  } catch {
    return null;
  }
}

function toElements(nodes: unknown, namespaces: ReadonlyMap<string, string>, depth: number): XmlElement[] {
  if (!Array.isArray(nodes) || depth > MAX_DEPTH + 2) return [];
  const elements: XmlElement[] = [];
  for (const node of nodes as Node[]) {
    const tag = Object.keys(node).find((key) => key !== ATTRIBUTES);
    if (tag === undefined || tag === TEXT || tag === CDATA) continue;
    elements.push(toElement(node, tag, namespaces, depth));
  }
  return elements;
}

function toElement(node: Node, tag: string, outer: ReadonlyMap<string, string>, depth: number): XmlElement {
  const attributes = new Map<string, string>();
  const declarations: [string, string][] = [];
  for (const [name, raw] of Object.entries((node[ATTRIBUTES] ?? {}) as Record<string, unknown>)) {
    const value = typeof raw === 'string' ? decodeReferences(raw) : '';
    if (name === 'xmlns' || name.startsWith('xmlns:')) declarations.push([name.slice('xmlns:'.length), value]);
    else if (!attributes.has(localName(name))) attributes.set(localName(name), value);
  }
  const namespaces = declarations.length === 0 ? outer : new Map([...outer, ...declarations]);
  const children = Array.isArray(node[tag]) ? (node[tag] as Node[]) : [];
  return {
    name: localName(tag),
    namespace: namespaces.get(tag.includes(':') ? tag.slice(0, tag.indexOf(':')) : '') ?? null,
    attributes,
    children: toElements(children, namespaces, depth + 1),
    text: children.map(ownText).join(''),
  };
}

function ownText(node: Node): string {
  if (typeof node[TEXT] === 'string') return decodeReferences(node[TEXT]);
  const cdata = node[CDATA];
  if (!Array.isArray(cdata)) return '';
  return (cdata as Node[]).map((piece) => (typeof piece[TEXT] === 'string' ? piece[TEXT] : '')).join('');
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

const PREDEFINED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));/g,
    (whole, name, decimal, hex) => {
      if (name) return PREDEFINED[name] ?? whole;
      const codePoint = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      return codePoint > 0 && codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : whole;
    },
  );
}
