// What we answer clients that ask who we are before they take a request of ours (RFC 3261 §22.2, RFC 7616 §3.4, RFC 8760).
import { randomBytes } from 'node:crypto';
import { ALGORITHMS, algorithmNamed, digestParameters, hexOf } from './access/digest-text.ts';
import { headerAll, readSipHeaders } from './sip-headers.ts';
import type { InDialogRequest, InDialogResult } from './srf.ts';

/** As whom we speak; `realm` null: wherever no others are named for. */
export interface OwnCredentials {
  realm: string | null;
  user: string;
  secret: string;
}

export interface Challenged {
  /** 401 or 407; anything else is no challenge. */
  status: number;
  /** The answer that challenges, and our request that it answers. */
  receivedRaw: string;
  sentRaw: string;
  /** This request had credentials: they are given once more only if they were right and too old. */
  hadCredentials: boolean;
}

const ASKED_BY: Record<number, { by: string; answer: string }> = {
  401: { by: 'www-authenticate', answer: 'Authorization' },
  407: { by: 'proxy-authenticate', answer: 'Proxy-Authorization' },
};

/** The header field with which to send the request again; null if there is none that could help. `cnonce` is for tests. */
export function answerChallenge(
  { status, receivedRaw, sentRaw, hadCredentials }: Challenged,
  credentials: readonly OwnCredentials[],
  cnonce = randomBytes(16).toString('hex'),
): Record<string, string> | null {
  const asked = ASKED_BY[status];
  const [, method, uri] = /^(\S+) (\S+) SIP\/2\.0\r?\n/.exec(sentRaw) ?? [];
  if (!asked || method === undefined || uri === undefined) return null;
  // The topmost that we can answer: the client has put them in its order (RFC 8760 §2.4).
  for (const value of headerAll(readSipHeaders(receivedRaw), asked.by)) {
    const challenge = digestParameters(value);
    if (!challenge) continue;
    const of = (name: string) => challenge.get(name) ?? '';
    const algorithm = algorithmNamed(challenge.get('algorithm') ?? 'MD5');
    const realm = of('realm');
    const own = credentials.find((each) => each.realm === realm) ?? credentials.find((each) => each.realm === null);
    const protections = of('qop')
      .toLowerCase()
      .split(/[\s,]+/);
    const isOld = protections.includes('');
    if (!algorithm || !own || !(isOld || protections.includes('auth'))) continue;
    if (hadCredentials && of('stale').toLowerCase() !== 'true') return null;
    const { hash } = ALGORITHMS.find(({ name }) => name === algorithm)!;
    const [ofUser, ofRequest] = [hexOf(hash, `${own.user}:${realm}:${own.secret}`), hexOf(hash, `${method}:${uri}`)];
    const nonce = of('nonce');
    const response = isOld
      ? hexOf(hash, `${ofUser}:${nonce}:${ofRequest}`)
      : hexOf(hash, `${ofUser}:${nonce}:00000001:${cnonce}:auth:${ofRequest}`);
    const parameters = [
      `username="${quotable(own.user)}"`,
      `realm="${quotable(realm)}"`,
      `nonce="${quotable(nonce)}"`,
      `uri="${uri}"`,
      `response="${response}"`,
      `algorithm=${algorithm}`,
      ...(isOld ? [] : [`cnonce="${cnonce}"`, 'qop=auth', 'nc=00000001']),
      ...(challenge.has('opaque') ? [`opaque="${quotable(of('opaque'))}"`] : []),
    ];
    return { [asked.answer]: `Digest ${parameters.join(', ')}` };
  }
  return null;
}

type Send = (request: InDialogRequest) => Promise<InDialogResult>;

/** Sends as `send` does, and once more with credentials, or twice if the first nonce was too old, to whoever wants them. */
export function withCredentials(send: Send, credentials: readonly OwnCredentials[]): Send {
  if (credentials.length === 0) return send;
  return async (request) => {
    let result = await send(request);
    for (let attempt = 0; attempt < 2; attempt++) {
      const { status, receivedRaw, sentRaw } = result;
      if (receivedRaw === null || sentRaw === null) return result;
      const challenged = { status, receivedRaw, sentRaw, hadCredentials: attempt > 0 };
      const answer = answerChallenge(challenged, credentials);
      if (!answer) return result;
      result = await send({ ...request, headers: { ...request.headers, ...answer } });
    }
    return result;
  };
}

/** Challenges may hold anything; ours must not end before its end. */
function quotable(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replace(/[\r\n]/g, '');
}
