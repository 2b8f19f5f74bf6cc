// What the tests call of drachtio-srf; its own types leave out half of it.
import type { EventEmitter } from 'node:events';
import Srf from 'drachtio-srf';

export interface SrfMessage {
  method: string;
  status: number;
  reason: string;
  uri: string;
  body: string;
  source_address: string;
  source_port: number;
  protocol: string;
  receivedOn?: string;
  get(name: string): string;
  has(name: string): boolean;
}

export interface SrfRequest extends SrfMessage, EventEmitter {
  cancel(callback?: (error: unknown, cancel: SrfMessage) => void): void;
  cancel(options: object, callback?: (error: unknown, cancel: SrfMessage) => void): void;
}

type Sent = (error: unknown, sent: SrfMessage) => void;

export interface SrfResponse extends SrfMessage {
  send(status: number, options?: object, sent?: Sent, prack?: (ack: SrfMessage) => void): void;
  send(status: number, reason: string, options?: object, sent?: Sent): void;
}

export interface SrfDialog extends EventEmitter {
  id: string;
  sip: { callId: string; localTag: string; remoteTag: string };
  local: { uri: string; sdp: string };
  remote: { uri: string; sdp: string };
  modify(sdp: string | object, options?: object): Promise<unknown>;
  request(options: {
    method: string;
    body?: string;
    headers?: Record<string, string>;
    auth?: object;
  }): Promise<SrfMessage>;
  destroy(options?: object): Promise<SrfMessage>;
}

export type SrfHandler = (req: SrfRequest, res: SrfResponse) => void;

export interface TestSrf extends EventEmitter {
  connect(options: object): void;
  disconnect(): void;
  use(method: string, handler: SrfHandler): void;
  invite(handler: SrfHandler): void;
  options(handler: SrfHandler): void;
  message(handler: SrfHandler): void;
  info(handler: SrfHandler): void;
  subscribe(handler: SrfHandler): void;
  refer(handler: SrfHandler): void;
  createUAS(req: SrfRequest, res: SrfResponse, options: object): Promise<SrfDialog>;
  createUAC(uri: string, options: object, progress?: object): Promise<SrfDialog>;
  request(uri: string, options: object): Promise<SrfRequest>;
  proxyRequest(req: SrfRequest, destination: string): Promise<unknown>;
  unregisterForMessages(verb: string): void;
  readonly idle: boolean;
}

export function newSrf(): TestSrf {
  return new Srf() as unknown as TestSrf;
}

/** The next event of that name. */
export function event<T extends unknown[] = [SrfRequest, SrfResponse]>(
  emitter: EventEmitter,
  name: string,
): Promise<T> {
  return new Promise((resolve) => emitter.once(name, (...args) => resolve(args as T)));
}

/** A value that somebody else will bring. */
export function later<T>() {
  return Promise.withResolvers<T>();
}
