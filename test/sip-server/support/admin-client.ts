// A hand-made app: raw frames on the admin port.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeFrame, FrameReader } from '../../../src/sip-server/drachtio/frame.ts';
import { SECRET } from './stack.ts';

export interface Frame {
  tokens: string[];
  /** The SIP text behind the first line; empty if there is none. */
  text: string;
}

export class AdminClient {
  readonly frames: Frame[] = [];
  readonly socket: Socket;
  closed = false;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    const reader = new FrameReader({
      onFrame: (payload) => {
        const [line = '', ...rest] = payload.toString().split('\r\n');
        this.frames.push({ tokens: line.split('|'), text: rest.join('\r\n') });
        this.#wakeAll();
      },
      onOversize: () => {},
      onBadPrefix: () => {},
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#wakeAll();
    });
  }

  static async open(port: number): Promise<AdminClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new AdminClient(socket);
  }

  /** Connected, logged in and registered. */
  static async app(port: number, ...verbs: string[]): Promise<AdminClient> {
    const client = await AdminClient.open(port);
    await client.command(`authenticate|${SECRET}|`);
    for (const verb of verbs) await client.command(`route|${verb}`);
    return client;
  }

  send(payload: string): void {
    this.socket.write(encodeFrame(payload));
  }

  /** Sends `rest` under a fresh message id and waits for its acknowledgement. */
  command(rest: string): Promise<Frame> {
    const id = `id-${Math.random().toString(36).slice(2)}`;
    this.send(`${id}|${rest}`);
    const reply = this.next((frame) => frame.tokens[1] === 'response' && frame.tokens[2] === id);
    // A test may end without waiting for it.
    reply.catch(() => {});
    return reply;
  }

  /** An answer to the request in `frame`. */
  answer(frame: Frame, text: string): Promise<Frame> {
    return this.command(`sip|${frame.tokens[8]}|\r\n${text}`);
  }

  /** The next `sip` frame whose text begins so. */
  sip(beginning: string): Promise<Frame> {
    return this.next((frame) => frame.tokens[1] === 'sip' && frame.text.startsWith(beginning), beginning);
  }

  async next(fits: (frame: Frame) => boolean, what = 'a frame', limitMs = 3_000): Promise<Frame> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const index = this.frames.findIndex(fits);
      if (index >= 0) return this.frames.splice(index, 1)[0]!;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || this.closed) {
        throw new Error(`${what} did not come: ${this.closed ? 'closed' : 'timeout'}; ${JSON.stringify(this.frames)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async untilClosed(): Promise<void> {
    if (!this.closed) await once(this.socket, 'close');
  }

  close(): void {
    this.socket.destroy();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
