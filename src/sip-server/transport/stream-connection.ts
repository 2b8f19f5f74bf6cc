// One TCP or TLS connection as a flow: framing in, a bounded queue out, and time limits (RFC 3261 §18.3, RFC 5626 §4.4.1).
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import { Timers } from '../../lib/timers.ts';
import { type MalformedReason, type ParseResult, parseMessage } from '../message/parse.ts';
import { type Address, type Flow, TransportError } from './flow.ts';
import type { TransportLimits } from './limits.ts';
import { type PeerCertificate, readPeerCertificate } from './peer-certificate.ts';
import { StreamFramer } from './stream-framer.ts';

/** Why a connection ended, for the log and the counters. */
export type ConnectionEnd =
  | 'peer'
  | 'idle'
  | 'half-message'
  | 'peer-too-slow'
  | 'unreadable'
  | 'error'
  | 'layer-closed';

export interface StreamConnectionOptions {
  socket: Socket;
  transport: 'tcp' | 'tls';
  limits: TransportLimits;
  clock: Clock;
  /** `lengthIsMissing`: there was no Content-Length, so the body was taken to be empty. */
  onParsed(result: ParseResult, connection: StreamConnection, lengthIsMissing: boolean): void;
  /** Once: it takes and delivers nothing any more, though queued bytes may still leave for a moment. */
  onEnded(connection: StreamConnection, end: ConnectionEnd): void;
  /** Once, after onEnded: the socket is gone. */
  onGone(connection: StreamConnection): void;
}

const PONG = Buffer.from('\r\n');
/** How long a closed connection may still flush, and the peer read, the last answers. */
const FAREWELL_MS = 1_000;

export class StreamConnection implements Flow {
  readonly transport: 'tcp' | 'tls';
  readonly reliable = true;
  readonly local: Address;
  readonly remote: Address;
  readonly peerCertificate: PeerCertificate | null;
  readonly #socket: Socket;
  readonly #limits: TransportLimits;
  readonly #clock: Clock;
  readonly #framer: StreamFramer;
  readonly #timers: Timers<'idle' | 'half-message' | 'farewell'>;
  readonly #onParsed: StreamConnectionOptions['onParsed'];
  readonly #onEnded: StreamConnectionOptions['onEnded'];
  #lastActivityMs: number;
  #closed = false;

  /** The socket must be connected, and a TLS handshake over. */
  constructor(options: StreamConnectionOptions) {
    const { socket } = options;
    this.transport = options.transport;
    this.local = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.peerCertificate = socket instanceof TLSSocket ? readPeerCertificate(socket) : null;
    this.#socket = socket;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#framer = new StreamFramer(options.limits);
    this.#timers = new Timers(options.clock);
    this.#onParsed = options.onParsed;
    this.#onEnded = options.onEnded;
    this.#lastActivityMs = options.clock.nowMs();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 45_000);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => this.close('error'));
    // A peer that closes its half only will send nothing more, but may still read: TCP SIP has no use for that.
    socket.on('end', () => this.close('peer'));
    socket.on('close', () => {
      this.close('peer');
      this.#timers.clearAll();
      options.onGone(this);
    });
    this.#watchIdle(this.#limits.idleMs);
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(bytes: Buffer): Promise<void> {
    if (this.#closed || !this.#socket.writable) return Promise.reject(closedError());
    if (this.#socket.writableLength + bytes.length > this.#limits.writeQueueBytes) {
      this.close('peer-too-slow');
      return Promise.reject(new TransportError('PEER_TOO_SLOW', 'The peer does not read what is sent to it.'));
    }
    this.#lastActivityMs = this.#clock.nowMs();
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Idempotent; the first reason counts. Only `layer-closed` also cuts short a closing that is under way. */
  close(end: ConnectionEnd): void {
    if (end === 'layer-closed') this.#socket.destroy();
    if (this.#closed) return;
    this.#closed = true;
    this.#timers.clearAll();
    if (end === 'peer' || end === 'unreadable') {
      // Going on reading for a moment keeps the kernel from answering with RST, which would cost the peer our last words.
      this.#socket.end();
      this.#timers.set('farewell', FAREWELL_MS, () => this.#socket.destroy());
    } else this.#socket.destroy();
    this.#onEnded(this, end);
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#framer.push(chunk);
    let sawWhole = false;
    while (!this.#closed) {
      const frame = this.#framer.next();
      if (!frame) break;
      sawWhole = true;
      if (frame.kind === 'ping') this.send(PONG).catch(() => {});
      else if (frame.kind === 'broken') this.#giveUp(frame.reason, frame.bytes);
      else this.#deliver(parseMessage(frame.bytes, this.#limits), frame.lengthIsMissing);
    }
    if (sawWhole) {
      this.#lastActivityMs = this.#clock.nowMs();
      this.#timers.clear('half-message');
    }
    // Counted from the first byte of a message, so that dribbling does not prolong it.
    if (!this.#closed && this.#framer.isInsideMessage && !this.#timers.has('half-message')) {
      this.#timers.set('half-message', this.#limits.halfMessageMs, () => this.close('half-message'));
    }
  }

  #deliver(result: ParseResult, lengthIsMissing: boolean): void {
    this.#onParsed(result, this, lengthIsMissing);
    // What is not even SIP shows that the stream is out of step, or not for us.
    if ('malformed' in result && result.answerable === null && isNotSip(result.malformed)) this.close('unreadable');
  }

  /** Hands on what could be read for an answer, then ends: no later byte of this stream can be understood. */
  #giveUp(reason: MalformedReason, bytes: Buffer): void {
    const result = parseMessage(bytes, this.#limits);
    const answerable =
      'message' in result ? (result.message.method === 'ACK' ? null : result.message) : result.answerable;
    this.#onParsed({ malformed: reason, answerable: answerable?.kind === 'request' ? answerable : null }, this, false);
    this.close('unreadable');
  }

  #watchIdle(inMs: number): void {
    this.#timers.set('idle', inMs, () => {
      const leftMs = this.#lastActivityMs + this.#limits.idleMs - this.#clock.nowMs();
      if (leftMs > 0) this.#watchIdle(leftMs);
      else this.close('idle');
    });
  }
}

function isNotSip(reason: MalformedReason): boolean {
  return reason === 'start-line' || reason === 'nul';
}

function closedError(): TransportError {
  return new TransportError('CLOSED', 'The connection is closed.');
}
