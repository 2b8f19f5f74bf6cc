// A hand-made SIP peer over UDP or TCP: says exactly what it is told to, and queues what it hears.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';

export interface CallParts {
  method: string;
  callId: string;
  cseq: number;
  fromTag?: string;
  toTag?: string | null;
  branch?: string;
  uri?: string;
  /** Lines with their CRLF, put in front of Content-Length. */
  extra?: string;
  body?: string;
  contact?: string | null;
}

let branches = 0;

export abstract class Peer {
  readonly heard: SipMessage[] = [];
  readonly unreadable: string[] = [];
  /** Otherwise what has been heard is not heard again: on a busy machine anything may be repeated. */
  keepsRepetitions = false;
  readonly #known = new Set<string>();
  #waiting: (() => void)[] = [];
  abstract readonly transport: 'udp' | 'tcp';
  abstract readonly port: number;
  abstract send(text: string | Buffer): void;
  abstract close(): Promise<void>;

  protected hear(bytes: Buffer): void {
    const result = parseMessage(bytes);
    // Answers to malformed requests repeat what is wrong with them.
    if ('malformed' in result) {
      this.unreadable.push(bytes.toString());
      return;
    }
    const text = bytes.toString('latin1');
    if (this.#known.has(text) && !this.keepsRepetitions) return;
    this.#known.add(text);
    this.heard.push(result.message);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Takes the first message in the queue that fits; waits for it up to `limitMs`. */
  async next(what: string | number | ((message: SipMessage) => boolean), limitMs = 3_000): Promise<SipMessage> {
    const fits = (message: SipMessage) => {
      if (typeof what === 'function') return what(message);
      return typeof what === 'number'
        ? message.statusCode === what
        : message.kind === 'request' && message.method === what;
    };
    const endMs = performance.now() + limitMs;
    for (;;) {
      const index = this.heard.findIndex(fits);
      if (index >= 0) return this.heard.splice(index, 1)[0]!;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) {
        const seen = this.heard.map((message) => message.toText().split('\r\n')[0]).join(' | ');
        throw new Error(`${what} did not come within ${limitMs} ms; heard: ${seen}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** What is in the queue by first lines, without 100 Trying. */
  lines(): string[] {
    return this.heard.filter(({ statusCode }) => statusCode !== 100).map((each) => each.toText().split('\r\n')[0]!);
  }

  get contact(): string {
    return `<sip:alice@127.0.0.1:${this.port}${this.transport === 'tcp' ? ';transport=tcp' : ''}>`;
  }

  request(parts: CallParts): string {
    const { method, callId, cseq, fromTag = 'alice-tag', toTag, extra = '', body = '' } = parts;
    const branch = parts.branch ?? `z9hG4bK-peer-${process.pid}-${++branches}`;
    const contact = parts.contact === undefined ? this.contact : parts.contact;
    return [
      `${method} ${parts.uri ?? 'sip:app@127.0.0.1'} SIP/2.0`,
      `Via: SIP/2.0/${this.transport.toUpperCase()} 127.0.0.1:${this.port};rport;branch=${branch}`,
      'Max-Forwards: 70',
      `From: <sip:alice@127.0.0.1:${this.port}>;tag=${fromTag}`,
      `To: <sip:app@127.0.0.1>${toTag ? `;tag=${toTag}` : ''}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      ...(contact === null ? [] : [`Contact: ${contact}`]),
      `${extra}Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  /** An answer with the request's own headers. */
  answer(
    request: SipMessage,
    statusCode: number,
    reason: string,
    extra: Record<string, string> = {},
    body = '',
  ): SipMessage {
    const response = createResponse(request, statusCode, reason);
    for (const value of request.headerValues('Record-Route')) response.append('Record-Route', value);
    for (const [name, value] of Object.entries(extra)) {
      if (name === 'toTag') response.set('To', `${request.header('To')};tag=${value}`);
      else response.append(name, value);
    }
    response.body = Buffer.from(body);
    this.send(response.toBytes());
    return response;
  }
}

export class UdpPeer extends Peer {
  readonly transport = 'udp';
  readonly #socket = createSocket('udp4');
  #serverPort = 0;
  port = 0;

  static async open(serverPort = 0): Promise<UdpPeer> {
    const peer = new UdpPeer();
    peer.#serverPort = serverPort;
    peer.#socket.on('message', (bytes, from) => {
      peer.#serverPort ||= from.port;
      peer.hear(bytes);
    });
    peer.#socket.bind(0, '127.0.0.1');
    await once(peer.#socket, 'listening');
    peer.port = peer.#socket.address().port;
    return peer;
  }

  send(text: string | Buffer): void {
    this.#socket.send(text, this.#serverPort, '127.0.0.1');
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

export class TcpPeer extends Peer {
  readonly transport = 'tcp';
  readonly port: number;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    super();
    this.#socket = socket;
    this.port = socket.localPort ?? 0;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => {});
  }

  static async open(serverPort: number): Promise<TcpPeer> {
    const socket = connect({ port: serverPort, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new TcpPeer(socket);
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#rest.toString('latin1', 0, end))?.[1] ?? 0);
      if (this.#rest.length < end + 4 + length) return;
      this.hear(Buffer.from(this.#rest.subarray(0, end + 4 + length)));
      this.#rest = this.#rest.subarray(end + 4 + length);
    }
  }

  send(text: string | Buffer): void {
    this.#socket.write(text);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }
}
