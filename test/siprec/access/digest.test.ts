// Digest authentication (RFC 7616, RFC 8760): vectors of the RFC, and every way to get it wrong.
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { Digest } from '../../../src/siprec/access/digest.ts';
import { Nonces } from '../../../src/siprec/access/nonces.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;
let nonces: Nonces;
let digest: Digest;

const REALM = 'sipreel';
const RIGHT = { right: true, user: 'sbc' };
const WRONG = { right: false, stale: false, attempted: true };
const STALE = { right: false, stale: true, attempted: true };

beforeEach(() => {
  clock = new ManualClock();
  nonces = new Nonces({ clock, realm: REALM, lifeMs: 300_000 });
  digest = new Digest({ realm: REALM, users: { sbc: 's3cret' }, nonces });
});

const hex = (algorithm: 'SHA-256' | 'MD5', text: string) =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');

interface Parts {
  algorithm?: 'SHA-256' | 'MD5';
  user?: string;
  secret?: string;
  nonce?: string;
  nc?: string;
  uri?: string;
  method?: string;
}

/** What a client of RFC 7616 §3.4 sends. */
function credentials(parts: Parts = {}): string {
  const { algorithm = 'SHA-256', user = 'sbc', secret = 's3cret', nonce = nonces.create(), nc = '00000001' } = parts;
  const { uri = 'sip:srs@192.0.2.10', method = 'INVITE' } = parts;
  const response = hex(
    algorithm,
    `${hex(algorithm, `${user}:${REALM}:${secret}`)}:${nonce}:${nc}:c0ffee:auth:${hex(algorithm, `${method}:${uri}`)}`,
  );
  return `Digest username="${user}", realm="${REALM}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}, cnonce="c0ffee", qop=auth, nc=${nc}`;
}

// RFC 7616 §3.9.1. The nonce is not ours, so `stale` says that the response itself is right.
test.each([
  ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
  ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
])('the example of RFC 7616 with %s', (algorithm, response) => {
  const realm = 'http-auth@example.org';
  const example = new Digest({ realm, users: { Mufasa: 'Circle of Life' }, nonces });
  const header = `Digest username="Mufasa", realm="${realm}", uri="/dir/index.html", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="${response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
  expect(example.verify('GET', [header])).toEqual(STALE);
  expect(example.verify('GET', [header.replace('753927', '753928').replace('8ca523', '8ca524')])).toEqual(WRONG);
});

test('the challenge: SHA-256 first, then MD5, with one nonce', () => {
  const [sha, md5, ...more] = digest.challenge(false);
  expect(more).toEqual([]);
  expect(sha).toMatch(/^Digest realm="sipreel", nonce="[^"]+", algorithm=SHA-256, qop="auth"$/);
  expect(md5).toBe(sha!.replace('SHA-256', 'MD5'));
  expect(digest.challenge(true)[0]).toMatch(/, stale=true$/);
  expect(digest.challenge(false)[0]).not.toBe(sha);
});

test.each(['SHA-256', 'MD5'] as const)('%s: right', (algorithm) => {
  expect(digest.verify('INVITE', [credentials({ algorithm })])).toEqual(RIGHT);
});

test('a header without algorithm is MD5; among several headers one has to be right', () => {
  const bare = credentials({ algorithm: 'MD5' }).replace('algorithm=MD5, ', '');
  expect(digest.verify('INVITE', [bare])).toEqual(RIGHT);
  const other = credentials().replace('realm="sipreel"', 'realm="elsewhere"');
  expect(digest.verify('INVITE', [other, 'Basic c2JjOnMzY3JldA==', credentials()])).toEqual(RIGHT);
});

describe('wrong', () => {
  test.each<[string, () => string]>([
    ['secret', () => credentials({ secret: 's3crets' })],
    ['name', () => credentials({ user: 'nobody' })],
    ['method', () => credentials({ method: 'BYE' })],
    ['algorithm', () => credentials().replace('=SHA-256', '=SHA-512-256')],
    ['session algorithm', () => credentials().replace('=SHA-256', '=SHA-256-sess')],
    ['no qop: no defence against replays', () => credentials().replace(', qop=auth', '')],
    ['auth-int', () => credentials().replace('qop=auth', 'qop=auth-int')],
    ['no count', () => credentials().replace(', nc=00000001', '')],
    ['a count that is none', () => credentials({ nc: 'xyzxyzxy' })],
    ['an empty response', () => credentials().replace(/response="[^"]+"/, 'response=""')],
    ['the response of another nonce', () => credentials().replace(/nonce="[^"]+"/, `nonce="${nonces.create()}"`)],
    ['a name of the prototype', () => credentials({ user: '__proto__' })],
  ])('%s', (_, header) => {
    expect(digest.verify('INVITE', [header()])).toEqual(WRONG);
  });

  test.each([
    [[]],
    [['']],
    [['Digest']],
    [['Basic x']],
    [['Digest realm="elsewhere"']],
    [[`Digest ${'a='.repeat(9_999)}`]],
  ])('no attempt: %j', (headers) => {
    expect(digest.verify('INVITE', headers)).toEqual({ right: false, stale: false, attempted: false });
  });
});

describe('nonces', () => {
  test('the same count twice is a replay; others may overtake each other', () => {
    const nonce = nonces.create();
    const verdicts = ['00000001', '00000004', '00000002', '00000004', '00000001', '00000003'].map((nc) =>
      digest.verify('INVITE', [credentials({ nonce, nc })]),
    );
    expect(verdicts).toEqual([RIGHT, RIGHT, RIGHT, STALE, STALE, RIGHT]);
  });

  test('a count far behind is not known any more', () => {
    const nonce = nonces.create();
    expect(nonces.use(nonce, 100)).toBe('fresh');
    expect([nonces.use(nonce, 70), nonces.use(nonce, 69), nonces.use(nonce, 0)]).toEqual(['fresh', 'stale', 'stale']);
    expect([nonces.use(nonce, 0xffffffff), nonces.use(nonce, 0xffffffff)]).toEqual(['fresh', 'stale']);
  });

  test('grow old: the client is told so and need not ask its user', () => {
    const nonce = nonces.create();
    clock.advance(300_000);
    expect(digest.verify('INVITE', [credentials({ nonce })])).toEqual(RIGHT);
    clock.advance(1);
    expect(digest.verify('INVITE', [credentials({ nonce, nc: '00000002' })])).toEqual(STALE);
  });

  test('of another process, of another realm, changed ones', () => {
    const other = new Nonces({ clock, realm: REALM, lifeMs: 300_000 }).create();
    const changed = nonces.create().replace(/^./, (c) => (c === 'm' ? 'n' : 'm'));
    for (const nonce of [other, changed, '', 'a', 'a.b', 'a.b.c', 'a.b.c.d', `${nonces.create()}.x`])
      expect(nonces.use(nonce, 1), nonce).toBe('stale');
    expect(nonces.size).toBe(0);
  });

  test('only right answers are remembered, no more than ten thousand, and what is forgotten cannot be used again', () => {
    for (let i = 0; i < 100; i++) digest.verify('INVITE', [credentials({ secret: 'guess' })]);
    expect(nonces.size).toBe(0);
    const first = nonces.create();
    expect(nonces.use(first, 1)).toBe('fresh');
    for (let i = 0; i < 10_000; i++) {
      clock.advance(1);
      expect(nonces.use(nonces.create(), 1)).toBe('fresh');
    }
    expect(nonces.size).toBe(10_000);
    expect(nonces.use(first, 1)).toBe('stale');
    clock.advance(300_001);
    nonces.use(nonces.create(), 1);
    expect(nonces.size).toBe(1);
  });
});
