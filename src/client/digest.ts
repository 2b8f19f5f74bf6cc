// Answers a digest challenge (RFC 7616, RFC 8760, RFC 3261 §22) as a client; drachtio-srf's own knows MD5 alone.
import { createHash, randomBytes } from 'node:crypto';

export interface ClientCredentials {
  user: string;
  password: string;
}

/** The strongest that both sides have (RFC 8760 §2.4). */
const ALGORITHMS = new Map([
  ['SHA-256', 'sha256'],
  ['MD5', 'md5'],
]);

/**
 * The Authorization header for a request, or null if no challenge can be answered. `challenges` is the value of
 * WWW-Authenticate, several joined by commas as drachtio-srf does.
 */
export function answerChallenge(
  challenges: string,
  { user, password }: ClientCredentials,
  request: { method: string; uri: string },
): string | null {
  const offered = challenges
    .split(/(?:^|,)\s*(?=Digest\s)/i)
    .filter((text) => /^Digest\s/i.test(text))
    .map(readChallenge);
  for (const [algorithm, hash] of ALGORITHMS) {
    const challenge = offered.find((each) => (each.get('algorithm') ?? 'MD5').toUpperCase() === algorithm);
    if (!challenge) continue;
    const [realm = '', nonce = '', opaque] = ['realm', 'nonce', 'opaque'].map((name) => challenge.get(name));
    const isProtected = (challenge.get('qop') ?? '').split(/\s*,\s*/).includes('auth');
    const hex = (text: string) => createHash(hash).update(text).digest('hex');
    const [nc, cnonce] = ['00000001', randomBytes(8).toString('hex')];
    const middle = isProtected ? `${nonce}:${nc}:${cnonce}:auth` : nonce;
    const response = hex(`${hex(`${user}:${realm}:${password}`)}:${middle}:${hex(`${request.method}:${request.uri}`)}`);
    return [
      `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${request.uri}", response="${response}"`,
      `algorithm=${algorithm}`,
      ...(isProtected ? [`cnonce="${cnonce}"`, 'qop=auth', `nc=${nc}`] : []),
      ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
    ].join(', ');
  }
  return null;
}

function readChallenge(text: string): Map<string, string> {
  const pairs = text.slice('Digest'.length).matchAll(/([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))/gi);
  return new Map([...pairs].map(([, name = '', quoted, plain]) => [name.toLowerCase(), quoted ?? plain ?? '']));
}
