// A recording client that sends exactly the octets it is given, over UDP or TCP, and keeps what comes back.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';

export interface RawPeer {
  readonly port: number;
  readonly transport: 'udp' | 'tcp';
  send(message: string): void;
  /** The first message, not taken yet, that begins like this and belongs to that dialog (any one if none is named). Rejects after 5 s. */
  take(start: RegExp, belonging?: Belonging): Promise<string>;
  /** Messages nobody has taken. */
  readonly left: readonly string[];
  close(): void;
}

/** `cseq` is number and method: `1 INVITE`. */
export interface Belonging {
  callId: string;
  cseq?: string;
}

const PATIENCE_MS = 5_000;

class Inbox {
  readonly left: string[] = [];
  #waiting: { wanted: (message: string) => boolean; resolve: (message: string) => void }[] = [];

  push(message: string): void {
    const waiter = this.#waiting.find(({ wanted }) => wanted(message));
    if (!waiter) {
      this.left.push(message);
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    waiter.resolve(message);
  }

  take(start: RegExp, belonging?: Belonging): Promise<string> {
    const wanted = (message: string) =>
      start.test(message) &&
      (!belonging || message.includes(`\r\nCall-ID: ${belonging.callId}\r\n`)) &&
      (!belonging?.cseq || message.includes(`\r\nCSeq: ${belonging.cseq}\r\n`));
    const index = this.left.findIndex(wanted);
    if (index >= 0) return Promise.resolve(this.left.splice(index, 1)[0] ?? '');
    return new Promise((resolve, reject) => {
      const lines = () => this.left.map((text) => text.split('\r\n')[0]).join(', ');
      const timer = setTimeout(() => reject(new Error(`nothing like ${start} came; left: ${lines()}`)), PATIENCE_MS);
      this.#waiting.push({
        wanted,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      });
    });
  }
}

export async function openUdpPeer(target: { host: string; port: number }): Promise<RawPeer> {
  const inbox = new Inbox();
  const isIpv6 = target.host.includes(':');
  const socket = createSocket(isIpv6 ? 'udp6' : 'udp4');
  socket.on('message', (message) => inbox.push(message.toString()));
  socket.bind(0, isIpv6 ? '::1' : '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    transport: 'udp',
    left: inbox.left,
    send: (message) => socket.send(message, target.port, target.host),
    take: (start, belonging) => inbox.take(start, belonging),
    close: () => socket.close(),
  };
}

export async function openTcpPeer(target: { host: string; port: number }): Promise<RawPeer> {
  const inbox = new Inbox();
  const socket = connect(target.port, target.host);
  await once(socket, 'connect');
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const headEnd = buffered.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const length = Number(
        /^(?:content-length|l)\s*:\s*(\d+)/im.exec(buffered.toString('latin1', 0, headEnd))?.[1] ?? 0,
      );
      if (buffered.length < headEnd + 4 + length) return;
      inbox.push(buffered.toString('utf8', 0, headEnd + 4 + length));
      buffered = buffered.subarray(headEnd + 4 + length);
    }
  });
  return {
    port: (socket.address() as AddressInfo).port,
    transport: 'tcp',
    left: inbox.left,
    send: (message) => void socket.write(message),
    take: (start, belonging) => inbox.take(start, belonging),
    close: () => socket.destroy(),
  };
}

export interface DialogMessage {
  method: string;
  cseq: number;
  headers?: string[];
  contentType?: string;
  body?: string;
  branch?: string;
}

/** The client's side of one dialog: composes requests, learns the To tag and the remote target from the 200. */
export class ClientDialog {
  readonly callId: string;
  readonly #peer: RawPeer;
  readonly #fromTag: string;
  #toTag = '';
  #target: string;

  constructor(peer: RawPeer, target: { host: string; port: number }, callId: string, fromTag = 'src') {
    this.#peer = peer;
    this.callId = callId;
    this.#fromTag = fromTag;
    this.#target = `sip:recorder@${target.host}:${target.port}`;
  }

  request({ method, cseq, headers = [], contentType, body = '', branch }: DialogMessage): string {
    const transport = this.#peer.transport.toUpperCase();
    return [
      `${method} ${this.#target} SIP/2.0`,
      `Via: SIP/2.0/${transport} 127.0.0.1:${this.#peer.port};branch=z9hG4bK${branch ?? `${this.callId}${cseq}${method}`}`,
      'Max-Forwards: 70',
      `From: <sip:src@127.0.0.1:${this.#peer.port}>;tag=${this.#fromTag}`,
      `To: <sip:recorder@srs.example>${this.#toTag === '' ? '' : `;tag=${this.#toTag}`}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:src@127.0.0.1:${this.#peer.port}${this.#peer.transport === 'tcp' ? ';transport=tcp' : ''}>;+sip.src`,
      ...headers,
      ...(contentType === undefined ? [] : [`Content-Type: ${contentType}`]),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  send(message: DialogMessage): void {
    this.#peer.send(this.request(message));
  }

  /** Sends, and returns the final response. */
  async ask(message: DialogMessage): Promise<string> {
    this.send(message);
    const answer = await this.final(message.cseq, message.method);
    if (message.method === 'INVITE') this.learn(answer);
    return answer;
  }

  final(cseq: number, method: string): Promise<string> {
    return this.#peer.take(/^SIP\/2\.0 [2-6]\d\d /, { callId: this.callId, cseq: `${cseq} ${method}` });
  }

  learn(answer: string): void {
    this.#toTag = /^To:.*;tag=([^;\r\n]+)/im.exec(answer)?.[1] ?? this.#toTag;
    this.#target = /^Contact:\s*<([^>]+)>/im.exec(answer)?.[1] ?? this.#target;
  }

  /** Answers a request of the recorder. */
  answer(request: string, status: string, headers: string[] = []): void {
    const echoed = request.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    this.#peer.send([`SIP/2.0 ${status}`, ...echoed, ...headers, 'Content-Length: 0', '', ''].join('\r\n'));
  }
}
