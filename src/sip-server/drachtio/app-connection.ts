// A connection from an app: frames, login, bounds. Nothing but `authenticate` is listened to before the login.
import type { Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { Timers } from '../../lib/timers.ts';
import { type Command, parseCommand } from './command.ts';
import { FrameReader } from './frame.ts';
import { replyFrame } from './metadata.ts';
import { secretsMatch } from './secret.ts';

export interface AdminLimits {
  connections: number;
  /** Payload of one frame. */
  frameBytes: number;
  /** Frames waiting for an app that does not read, beyond which it is disconnected. */
  writeQueueBytes: number;
  /** An app must log in so soon. */
  loginMs: number;
  /** Methods that one connection may register. */
  routes: number;
}

export const DEFAULT_ADMIN_LIMITS: AdminLimits = {
  connections: 64,
  frameBytes: 4 * 1024 * 1024,
  writeQueueBytes: 64 * 1024 * 1024,
  loginMs: 10_000,
  routes: 64,
};

/** Longer ones cannot be a login. */
const LOGIN_FRAME_BYTES = 16_384;
const KEEP_ALIVE_MS = 45_000;
const LINGER_MS = 1_000;

export interface AppConnectionOptions {
  socket: Socket;
  secret: string;
  clock: Clock;
  limits: AdminLimits;
  /** The tokens behind `OK` in the answer to the login. */
  greeting(): readonly string[];
  /** After the login only; never `authenticate` or `invalid`. */
  onCommand(command: LoggedInCommand): void;
  /** Once; why is for the log. */
  onClosed(why: string): void;
}

export type LoggedInCommand = Exclude<Command, { kind: 'authenticate' | 'invalid' }>;

/**
 *   connected ──right secret──▶ open
 *       └──anything else──▶ NO ──▶ closing        open ──bad frame, unknown command──▶ NO ──▶ closing
 */
export class AppConnection {
  readonly peer: string;
  readonly #options: AppConnectionOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #timers: Timers<'login' | 'linger'>;
  #state: 'connected' | 'open' | 'closing' = 'connected';
  #why = 'the app has closed it';
  #isGone = false;

  constructor(options: AppConnectionOptions) {
    this.#options = options;
    const socket = options.socket;
    this.#socket = socket;
    this.peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#timers = new Timers(options.clock);
    this.#reader = new FrameReader(
      {
        onFrame: (payload) => this.#onFrame(payload),
        onOversize: (lengthBytes, head) => this.#onOversize(lengthBytes, head),
        onBadPrefix: () => this.close('what it sent was no frame'),
      },
      options.limits.frameBytes,
    );
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk) => this.#reader.push(chunk));
    socket.on('error', (error) => {
      this.#why = `socket error: ${error.message}`;
    });
    socket.on('close', () => this.#onClosed());
    this.#timers.set('login', options.limits.loginMs, () => this.close('it did not log in in time'));
  }

  write(frame: Buffer): void {
    if (this.#state === 'closing') return;
    this.#socket.write(frame);
    if (this.#socket.writableLength > this.#options.limits.writeQueueBytes) {
      this.#why = 'it does not read what it is sent';
      this.#socket.destroy();
    }
  }

  /** Reads no more, lets what has been written get through, and closes. Idempotent. */
  close(why: string): void {
    if (this.#state === 'closing') return;
    this.#why = why;
    this.#state = 'closing';
    this.#reader.stop();
    this.#socket.end();
    this.#timers.clearAll();
    this.#timers.set('linger', LINGER_MS, () => this.#socket.destroy());
  }

  /** Closes without waiting for anything; onClosed has been called when it returns. */
  destroy(): void {
    this.#why = 'the server is closing';
    this.#socket.destroy();
    this.#onClosed();
  }

  #onClosed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#state = 'closing';
    this.#reader.stop();
    this.#timers.clearAll();
    this.#options.onClosed(this.#why);
  }

  #onFrame(payload: Buffer): void {
    if (this.#state === 'closing') return;
    if (this.#state === 'connected' && payload.length > LOGIN_FRAME_BYTES) {
      this.#refuse('', 'not authenticated');
      return;
    }
    const command = parseCommand(payload);
    if (command.kind === 'invalid') {
      this.#refuse(command.id, command.reason);
      return;
    }
    if (command.kind === 'authenticate') {
      this.#login(command.id, command.secret);
      return;
    }
    if (this.#state === 'connected') {
      this.#refuse(command.id, 'not authenticated');
      return;
    }
    this.#options.onCommand(command);
  }

  #login(id: string, secret: string): void {
    if (!secretsMatch(secret, this.#options.secret)) {
      this.#refuse(id, 'incorrect secret');
      return;
    }
    this.#state = 'open';
    this.#timers.clear('login');
    this.write(replyFrame(id, 'OK', ...this.#options.greeting()));
  }

  /** The rest of the frame is skipped: the connection stays in step. */
  #onOversize(lengthBytes: number, head: Buffer): void {
    const id = /^([^|\r\n]+)\|/.exec(head.toString('latin1'))?.[1] ?? '';
    if (this.#state !== 'open') {
      this.#refuse(id, 'not authenticated');
      return;
    }
    const limit = this.#options.limits.frameBytes;
    this.write(replyFrame(id, 'NOK', `frame of ${lengthBytes} bytes is over the limit of ${limit}`));
  }

  #refuse(id: string, reason: string): void {
    this.write(replyFrame(id, 'NO', reason));
    this.close(`refused: ${reason}`);
  }
}
