// One HTTP request to a receiver: its address checked before the connection is made, nothing followed, everything bounded.
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { NetworkList, PRIVATE_NETWORKS } from '../lib/networks.ts';
import { DeliveryFailure } from './target.ts';

export interface HttpCall {
  method: 'POST' | 'PUT';
  url: URL;
  headers: Record<string, string>;
  /** A stream is read once. */
  body: string | Readable;
  /** Whether loopback, private and link-local addresses may be called. */
  internal: 'allowed' | 'refused';
  /** Without a sign of life from the receiver for this long, the call fails. */
  timeoutMs: number;
  signal: AbortSignal;
}

const MOST_ANSWER_OCTETS = 64 * 1024;
const SHOWN_OCTETS = 200;

/** What no event belongs to, beside the private networks: this network, link-local, multicast, broadcast. */
const NOWHERE = ['0.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4', '::', 'ff00::/8'];
const internalNetworks = new NetworkList([...PRIVATE_NETWORKS, ...NOWHERE]);
/** IPv6 addresses that lead to an IPv4 one (RFC 6052, RFC 3056). */
const TRANSLATED = new NetworkList(['64:ff9b::/96', '2002::/16']);

const agents = {
  http: new HttpAgent({ keepAlive: true, maxSockets: 32, timeout: 60_000 }),
  https: new HttpsAgent({ keepAlive: true, maxSockets: 32, timeout: 60_000 }),
};

/** For whoever makes requests of its own: connections to internal addresses are refused, also when a name leads to one. */
export function publicAgents(): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const options = { keepAlive: true, maxSockets: 32, timeout: 60_000, lookup: publicLookup };
  return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent(options) };
}

/** Resolves when the receiver answered 2xx. Rejects with DeliveryFailure. */
export async function callReceiver(call: HttpCall): Promise<void> {
  const answer = await send(call).catch((error: Error) => {
    if (error instanceof DeliveryFailure) throw error;
    throw new DeliveryFailure('unreachable', `${call.url.host}: ${error.message}`, null, { cause: error });
  });
  judge(answer.status, answer.retryAfterMs, `${call.url.host} answered ${answer.status}: ${answer.text}`);
}

interface Answer {
  status: number;
  retryAfterMs: number | null;
  text: string;
}

function judge(status: number, retryAfterMs: number | null, message: string): void {
  if (status >= 200 && status < 300) return;
  if (status === 410) throw new DeliveryFailure('hopeless', message);
  if (status >= 500 || status === 408 || status === 429)
    throw new DeliveryFailure('unreachable', message, retryAfterMs);
  if (status >= 300 && status < 400) throw new DeliveryFailure('refused', `${message} (redirects are not followed)`);
  throw new DeliveryFailure('refused', message, retryAfterMs);
}

function send({ method, url, headers, body, internal, timeoutMs, signal }: HttpCall): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A literal address is not looked up.
    if (internal === 'refused' && isInternal(url.hostname.replace(/^\[|\]$/g, ''))) {
      reject(internalAddress(url.hostname));
      return;
    }
    const secure = url.protocol === 'https:';
    const make = secure ? httpsRequest : httpRequest;
    const lookup = internal === 'refused' ? publicLookup : undefined;
    const options = { method, headers, signal, timeout: timeoutMs, ...(lookup && { lookup }) };
    // A kept connection was looked up under the rule of whoever opened it.
    const agent = internal === 'refused' ? agents[secure ? 'https' : 'http'] : undefined;
    const request = make(url, { ...options, ...(agent && { agent }) }, (response) => {
      readAnswer(response).then(resolve, reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
    if (typeof body === 'string') request.end(body);
    else pipeline(body, request, (error) => error && reject(error));
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  let octets = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    octets += piece.length;
    if (octets > MOST_ANSWER_OCTETS) break;
    pieces.push(piece);
  }
  response.destroy();
  const text = Buffer.concat(pieces)
    .toString('utf8')
    .replace(/\p{C}+/gu, ' ')
    .slice(0, SHOWN_OCTETS);
  const seconds = Number(response.headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 86_400) * 1000 : null;
  return { status: response.statusCode ?? 0, retryAfterMs, text };
}

/** The addresses that are connected to are the ones that were checked: a second answer of the DNS changes nothing. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    const found = addresses as LookupAddress[];
    const wrong = found.find(({ address }) => isInternal(address));
    if (wrong) return callback(internalAddress(`${hostname} (${wrong.address})`), []);
    if (options.all) return callback(null, found);
    callback(null, found[0]?.address ?? '', found[0]?.family);
  });
};

export function isInternal(host: string): boolean {
  return isIP(host) !== 0 && (internalNetworks.has(host) || TRANSLATED.has(host));
}

export function internalAddress(what: string): DeliveryFailure {
  return new DeliveryFailure('refused', `${what} is an internal address: allow it with allowInternal if that is meant`);
}
