// Digest authentication (RFC 7616, RFC 8760, RFC 3261 §22): what is challenged, and whether an answer is right.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { ALGORITHMS, type AlgorithmName, algorithmNamed, digestParameters, hexOf } from './digest-text.ts';
import type { Nonces } from './nonces.ts';

export interface DigestOptions {
  realm: string;
  /** Secrets by name. */
  users: Readonly<Record<string, string>>;
  nonces: Nonces;
}

/** `stale`: the secret was right, but the nonce has to be replaced. */
export type DigestVerdict = { right: true; user: string } | { right: false; stale: boolean; attempted: boolean };

export class Digest {
  readonly #realm: string;
  readonly #nonces: Nonces;
  /** Of name, realm and secret, by algorithm and name: the secrets themselves are not kept. */
  readonly #keys = new Map<string, string>();
  /** Stands in for names that nobody has, so that they take as long. */
  readonly #nobody = randomBytes(16).toString('hex');

  constructor({ realm, users, nonces }: DigestOptions) {
    this.#realm = realm;
    this.#nonces = nonces;
    for (const { name, hash } of ALGORITHMS) {
      for (const [user, secret] of Object.entries(users))
        this.#keys.set(`${name} ${user}`, hexOf(hash, `${user}:${realm}:${secret}`));
    }
  }

  /** The values of two WWW-Authenticate headers; both offer the same nonce. */
  challenge(stale: boolean): string[] {
    const nonce = this.#nonces.create();
    return ALGORITHMS.map(
      ({ name }) =>
        `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=${name}, qop="auth"${stale ? ', stale=true' : ''}`,
    );
  }

  /** `authorizations` are the values of all Authorization headers. The body is not protected (`qop=auth`). */
  verify(method: string, authorizations: readonly string[]): DigestVerdict {
    let verdict: DigestVerdict = { right: false, stale: false, attempted: false };
    for (const value of authorizations) {
      const given = readCredentials(value);
      if (!given || given.realm !== this.#realm) continue;
      verdict = this.#verifyOne(method, given);
      if (verdict.right) return verdict;
    }
    return verdict;
  }

  #verifyOne(method: string, given: Credentials): DigestVerdict {
    const wrong: DigestVerdict = { right: false, stale: false, attempted: true };
    const algorithm = ALGORITHMS.find(({ name }) => name === given.algorithm);
    if (!algorithm || given.qop !== 'auth' || given.cnonce === '' || !/^[0-9a-f]{8}$/i.test(given.nc)) return wrong;
    const { hash, name } = algorithm;
    const key = this.#keys.get(`${name} ${given.username}`);
    const ofRequest = hexOf(hash, `${method}:${given.uri}`);
    const { nonce, nc, cnonce, qop } = given;
    const wanted = hexOf(hash, `${key ?? this.#nobody}:${nonce}:${nc}:${cnonce}:${qop}:${ofRequest}`);
    const isRight = sameText(wanted, given.response.toLowerCase());
    if (!isRight || key === undefined) return wrong;
    if (this.#nonces.use(nonce, Number.parseInt(nc, 16)) === 'stale')
      return { right: false, stale: true, attempted: true };
    return { right: true, user: given.username };
  }
}

interface Credentials {
  username: string;
  realm: string;
  nonce: string;
  uri: string;
  response: string;
  algorithm: AlgorithmName | null;
  qop: string;
  nc: string;
  cnonce: string;
}

/** Null for another scheme. What is missing is empty. */
function readCredentials(value: string): Credentials | null {
  const parameters = digestParameters(value);
  if (!parameters) return null;
  const of = (name: string) => parameters.get(name) ?? '';
  return {
    username: of('username'),
    realm: of('realm'),
    nonce: of('nonce'),
    uri: of('uri'),
    response: of('response'),
    algorithm: algorithmNamed(parameters.get('algorithm') ?? 'MD5'),
    qop: of('qop').toLowerCase(),
    nc: of('nc'),
    cnonce: of('cnonce'),
  };
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
