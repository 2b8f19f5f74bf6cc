// The tokens that go before a SIP message in frames to an app: where it came from or went to, when, and its names.
import { randomUUID } from 'node:crypto';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { encodeFrame } from './frame.ts';

export interface Passage {
  /** `network`: received, or made up in place of what did not come. `application`: sent from here. */
  source: 'network' | 'application';
  /** What it went over; null for what was made up or could not be sent. */
  flow: Flow | null;
  /** Which end of the flow is told. */
  end: 'local' | 'remote';
  /** Unix ms. */
  atMs: number;
}

/** A request or response for the app. `names` are the tokens from the transaction id on; an empty one ends the line. */
export function sipFrame(passage: Passage, text: string, names: readonly string[]): Buffer {
  return encodeFrame(`${randomUUID()}|sip|${[...describe(passage, text), ...names, ''].join('|')}\r\n${text}`);
}

/** `OK` for an answer that the app sent. */
export function answerSentFrame(
  id: string,
  passage: Passage,
  sent: SipMessage,
  names: readonly [string, string],
): Buffer {
  const text = sent.toText();
  const tokens = [...describe(passage, text), ...names, '', 'Msg sent:', ''];
  return encodeFrame(`${randomUUID()}|response|${id}|OK|${tokens.join('|')}\r\n${text}`);
}

/** `OK` for a request that the app sent: without dialog id and the empty token behind it. */
export function requestSentFrame(id: string, passage: Passage, sent: SipMessage, transactionId: string): Buffer {
  const text = sent.toText();
  const tokens = [...describe(passage, text), transactionId, 'Msg sent:', ''];
  return encodeFrame(`${randomUUID()}|response|${id}|OK|${tokens.join('|')}\r\n${text}`);
}

/** `OK`, `NO` or `NOK` without a message; further tokens may follow. */
export function replyFrame(id: string, ...tokens: string[]): Buffer {
  return encodeFrame(`${randomUUID()}|response|${id}|${tokens.join('|')}`);
}

function describe({ source, flow, end, atMs }: Passage, text: string): string[] {
  if (!flow) return [source, '0', 'udp', '', '0', timeOfDay(atMs)];
  const address = end === 'local' ? flow.local : flow.remote;
  const bytes = Buffer.byteLength(text);
  return [source, String(bytes), flow.transport, address.host, String(address.port), timeOfDay(atMs)];
}

/** `HH:MM:SS.uuuuuu` in UTC. */
export function timeOfDay(unixMs: number): string {
  const whole = Math.floor(unixMs);
  const micros = Math.floor((unixMs - whole) * 1000);
  return `${new Date(whole).toISOString().slice(11, 23)}${String(micros).padStart(3, '0')}`;
}
