// A SIP message: start line, headers in their order, body (RFC 3261 §7).
import { isUtf8 } from 'node:buffer';
import { headerKey, isToken, longName } from './header-names.ts';
import { splitOutside, trimLws } from './scan.ts';
import { parseNameAddr } from './uri.ts';
import { formatVia, parseVia, type Via } from './via.ts';

export interface Header {
  /** As received. */
  name: string;
  /** Unfolded and trimmed. */
  value: string;
}

export interface CSeq {
  number: number;
  method: string;
}

export type StartLine =
  | { kind: 'request'; method: string; requestUri: string }
  | { kind: 'response'; statusCode: number; reasonPhrase: string };

const EMPTY_BODY = Buffer.alloc(0);

export class SipMessage {
  readonly kind: 'request' | 'response';
  /** Empty for a request. */
  readonly reasonPhrase: string;
  /** 0 for a request. */
  readonly statusCode: number;
  /** Empty for a response. */
  requestUri: string;
  body: Buffer;
  /** 'latin1' when the head came in bytes that are not UTF-8: they go out again as they came. */
  encoding: 'utf8' | 'latin1';
  readonly #method: string;
  #headers: Header[] = [];
  #cache = new Map<string, unknown>();

  constructor(start: StartLine, body: Buffer = EMPTY_BODY, encoding: 'utf8' | 'latin1' = 'utf8') {
    this.kind = start.kind;
    this.#method = start.kind === 'request' ? cleanText(start.method) : '';
    this.requestUri = start.kind === 'request' ? cleanText(start.requestUri) : '';
    this.statusCode = start.kind === 'response' ? start.statusCode : 0;
    this.reasonPhrase = start.kind === 'response' ? cleanText(start.reasonPhrase) : '';
    this.body = body;
    this.encoding = encoding;
  }

  /** For a response: the method of its CSeq, or empty. */
  get method(): string {
    return this.#method || (this.cseq?.method ?? '');
  }

  /** Frees its memory. */
  dropBody(): void {
    this.body = EMPTY_BODY;
  }

  get headers(): readonly Readonly<Header>[] {
    return this.#headers;
  }

  /** The first line of that name; compact and long forms and all cases are equal. */
  header(name: string): string | undefined {
    const key = headerKey(name);
    return this.#headers.find((header) => headerKey(header.name) === key)?.value;
  }

  /** One entry per header line. */
  headerValues(name: string): string[] {
    const key = headerKey(name);
    return this.#headers.filter((header) => headerKey(header.name) === key).map((header) => header.value);
  }

  /** All values of a header that may be a comma list (Via, Route, Contact, …), from all its lines; empty ones left out. */
  listValues(name: string): string[] {
    return this.headerValues(name).flatMap((value) => splitOutside(value, ',').filter((part) => part !== ''));
  }

  /** Adds a line at the end. A name that is no token is left out. */
  append(name: string, value: string): void {
    if (isToken(name)) this.#headers.push({ name, value: cleanText(value) });
    this.#cache.clear();
  }

  /** Adds a line in front of all others. */
  prepend(name: string, value: string): void {
    if (isToken(name)) this.#headers.unshift({ name, value: cleanText(value) });
    this.#cache.clear();
  }

  /** One line of that name with that value: in the place of the first one, or at the end. */
  set(name: string, value: string): void {
    const key = headerKey(name);
    const index = this.#headers.findIndex((header) => headerKey(header.name) === key);
    if (index < 0) this.append(name, value);
    else if (isToken(name)) {
      this.#headers[index] = { name, value: cleanText(value) };
      this.#headers = this.#headers.filter((header, i) => i <= index || headerKey(header.name) !== key);
      this.#cache.clear();
    }
  }

  remove(name: string): void {
    const key = headerKey(name);
    this.#headers = this.#headers.filter((header) => headerKey(header.name) !== key);
    this.#cache.clear();
  }

  /** Changes the value of the first line of that name and nothing else; false if there is none. */
  replaceFirst(name: string, value: string): boolean {
    const key = headerKey(name);
    const index = this.#headers.findIndex((header) => headerKey(header.name) === key);
    if (index < 0) return false;
    this.#headers[index] = { name: this.#headers[index]!.name, value: cleanText(value) };
    this.#cache.clear();
    return true;
  }

  get callId(): string | undefined {
    return this.#cached('call-id', () => this.header('Call-ID'));
  }

  /** Null if missing or unreadable. */
  get cseq(): CSeq | null {
    return this.#cached('cseq', () => {
      const match = /^([0-9]{1,10})[ \t]+(\S+)$/.exec(this.header('CSeq') ?? '');
      if (!match || Number(match[1]) > 0xffffffff || !isToken(match[2]!)) return null;
      return { number: Number(match[1]), method: match[2]! };
    });
  }

  /** Null if there is none (allowed by RFC 2543). */
  get fromTag(): string | null {
    return this.#cached('from', () => parseNameAddr(this.header('From') ?? '')?.params.get('tag') || null);
  }

  get toTag(): string | null {
    return this.#cached('to', () => parseNameAddr(this.header('To') ?? '')?.params.get('tag') || null);
  }

  get topVia(): Via | null {
    return this.#cached('via', () => {
      const first = this.header('Via');
      return first === undefined ? null : parseVia(splitOutside(first, ',')[0]!);
    });
  }

  /** Puts `via` in the place of the topmost one; others on the same line stay. */
  replaceTopVia(via: Via): void {
    const others = splitOutside(this.header('Via') ?? '', ',').slice(1);
    this.replaceFirst('Via', [formatVia(via), ...others].join(', '));
  }

  /** The message for the wire: names and order as they are, one Content-Length in bytes, whatever the headers say. */
  toBytes(): Buffer {
    let head = `${this.#startLine()}\r\n`;
    for (const { name, value } of this.#headers) {
      if (headerKey(name) !== 'content-length') head += `${name}: ${value}\r\n`;
    }
    head += `Content-Length: ${this.body.length}\r\n\r\n`;
    const encoding = /[^\0-\xff]/.test(head) ? 'utf8' : this.encoding;
    const headOctets = Buffer.byteLength(head, encoding);
    // Kept for half a minute by its transaction: a piece of Node's pool would hold 64 KiB for as long.
    const bytes = Buffer.allocUnsafeSlow(headOctets + this.body.length);
    bytes.write(head, encoding);
    this.body.copy(bytes, headOctets);
    return bytes;
  }

  /**
   * The message as text for programs that read one header per line: compact names in their long form, one
   * Content-Length (in UTF-8 bytes of this text's body, in the place where one stood). A body that is not UTF-8 is
   * read as Latin-1, so that no byte is lost. Names with `%` are left out: drachtio-srf would decode them.
   */
  toText(): string {
    const body = this.body.toString(isUtf8(this.body) ? 'utf8' : 'latin1');
    let text = `${this.#startLine()}\r\n`;
    let lengthIsWritten = false;
    for (const { name, value } of this.#headers) {
      if (name.includes('%')) continue;
      if (headerKey(name) !== 'content-length') text += `${longName(name)}: ${value}\r\n`;
      else if (!lengthIsWritten) {
        text += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
        lengthIsWritten = true;
      }
    }
    if (!lengthIsWritten) text += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    return `${text}\r\n${body}`;
  }

  /** A copy whose headers can be changed without touching this one; the body's bytes are shared. */
  clone(): SipMessage {
    const start: StartLine =
      this.kind === 'request'
        ? { kind: 'request', method: this.#method, requestUri: this.requestUri }
        : { kind: 'response', statusCode: this.statusCode, reasonPhrase: this.reasonPhrase };
    const copy = new SipMessage(start, this.body, this.encoding);
    copy.#headers = this.#headers.map((header) => ({ ...header }));
    return copy;
  }

  #startLine(): string {
    return this.kind === 'request'
      ? `${this.#method} ${cleanText(this.requestUri)} SIP/2.0`
      : `SIP/2.0 ${this.statusCode} ${this.reasonPhrase}`;
  }

  #cached<T>(key: string, read: () => T): T {
    if (!this.#cache.has(key)) this.#cache.set(key, read());
    return this.#cache.get(key) as T;
  }
}

/** No line break and no NUL can get into a line, so that no value can become a header of its own. */
function cleanText(text: string): string {
  return /[\r\n\0]/.test(text) ? trimLws(text.replace(/[\r\n\0]+/g, ' ')) : text;
}
