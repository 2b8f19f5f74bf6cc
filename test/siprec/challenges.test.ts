// What we answer who asks who we are: vectors of RFC 7616 and RFC 2069, the choice among challenges, and when to give up.
import { describe, expect, test } from 'vitest';
import { Digest } from '../../src/siprec/access/digest.ts';
import { Nonces } from '../../src/siprec/access/nonces.ts';
import { answerChallenge, type OwnCredentials, withCredentials } from '../../src/siprec/challenges.ts';
import { ManualClock } from '../support/manual-clock.ts';

const OWN: OwnCredentials[] = [
  { realm: 'src.example', user: 'recorder', secret: 's3cret' },
  { realm: null, user: 'anybody', secret: 'else' },
];

function challenged(
  values: string[],
  { status = 401, request = 'INVITE sip:src@192.0.2.1', hadCredentials = false } = {},
) {
  const header = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate';
  const receivedRaw = ['SIP/2.0 401 So', ...values.map((value) => `${header}: ${value}`), '', ''].join('\r\n');
  return { status, receivedRaw, sentRaw: `${request} SIP/2.0\r\nVia: x\r\n\r\n`, hadCredentials };
}

describe('the examples of the standards', () => {
  const realm = 'http-auth@example.org';
  const mufasa = [{ realm, user: 'Mufasa', secret: 'Circle of Life' }];
  const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v';
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';

  // RFC 7616 §3.9.1
  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('RFC 7616 with %s', (algorithm, response) => {
    const challenge = `Digest realm="${realm}", qop="auth, auth-int", algorithm=${algorithm}, nonce="${nonce}", opaque="FQhe/qaU"`;
    expect(answerChallenge(challenged([challenge], { request: 'GET /dir/index.html' }), mufasa, cnonce)).toEqual({
      Authorization: `Digest username="Mufasa", realm="${realm}", nonce="${nonce}", uri="/dir/index.html", response="${response}", algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=00000001, opaque="FQhe/qaU"`,
    });
  });

  // RFC 2069 §2.4 with the response of its erratum 749: no qop.
  test('RFC 2069, without qop', () => {
    const nonce = 'dcd98b7102dd2f0e8b11d0f600bfb0c093';
    const own = [{ realm: null, user: 'Mufasa', secret: 'CircleOfLife' }];
    const challenge = `Digest realm="testrealm@host.com", nonce="${nonce}", opaque="5ccc069c403ebaf9f0171e9517f40e41"`;
    const answer = answerChallenge(challenged([challenge], { request: 'GET /dir/index.html' }), own);
    expect(answer?.Authorization).toContain('response="1949323746fe6a43ef61f9606e7febea"');
    expect(answer?.Authorization).not.toMatch(/qop|cnonce|nc=/);
  });
});

test('the topmost that can be answered, by the credentials of its realm, else by those for all', () => {
  const answer = answerChallenge(
    challenged(
      [
        'Basic realm="src.example"',
        'Digest realm="src.example", nonce="n", algorithm=SHA-512-256, qop="auth"',
        'Digest realm="src.example", nonce="n", algorithm=MD5, qop="auth-int"',
        'Digest realm="sr\\"c", nonce="n2", algorithm=sha-256, qop="auth-int,auth"',
        'Digest realm="src.example", nonce="n", algorithm=MD5, qop="auth"',
      ],
      { status: 407 },
    ),
    OWN,
  );
  expect(answer?.['Proxy-Authorization']).toMatch(
    /^Digest username="anybody", realm="sr\\"c", nonce="n2", uri="sip:src@192\.0\.2\.1", .*algorithm=SHA-256/,
  );
});

test('what cannot be answered', () => {
  const challenge = 'Digest realm="src.example", nonce="n", qop="auth"';
  expect(answerChallenge(challenged([challenge]), OWN)).not.toBeNull();
  expect(answerChallenge(challenged([challenge]), [])).toBeNull();
  expect(answerChallenge(challenged([challenge]), [{ ...OWN[0]!, realm: 'another' }])).toBeNull();
  expect(answerChallenge(challenged([]), OWN)).toBeNull();
  expect(answerChallenge({ ...challenged([challenge]), status: 403 }, OWN)).toBeNull();
  expect(answerChallenge({ ...challenged([challenge]), sentRaw: '' }, OWN)).toBeNull();
  // Wrong, and would be again.
  expect(answerChallenge(challenged([challenge], { hadCredentials: true }), OWN)).toBeNull();
  expect(answerChallenge(challenged([`${challenge}, stale=TRUE`], { hadCredentials: true }), OWN)).not.toBeNull();
  expect(answerChallenge(challenged([`Digest realm="${'x'.repeat(5_000)}"`]), OWN)).toBeNull();
});

test('a client that checks: right the first time, once more for a nonce that is too old, then no more', async () => {
  const clock = new ManualClock();
  const realm = 'src.example';
  const users = { recorder: 's3cret' };
  const digest = new Digest({ realm, users, nonces: new Nonces({ clock, realm, lifeMs: 1_000 }) });
  const asked: string[] = [];
  let impatient = 0;
  const send = withCredentials(async ({ method, headers = {} }) => {
    const sentRaw = `${method} sip:src@192.0.2.1 SIP/2.0\r\n\r\n`;
    asked.push(headers.Authorization ?? 'nobody');
    const { right, stale } = { stale: false, ...digest.verify(method, [headers.Authorization ?? '']) };
    const values = digest.challenge(stale);
    if (impatient-- > 0) clock.advance(2_000);
    return right
      ? { status: 200, sentRaw, receivedRaw: 'SIP/2.0 200 OK\r\n\r\n', error: null }
      : { ...challenged(values), sentRaw, error: null };
  }, OWN);
  const bye = { method: 'BYE', dialogId: 'd', headers: {} } as const;
  expect((await send(bye)).status).toBe(200);
  expect(asked).toHaveLength(2);
  impatient = 1;
  expect((await send(bye)).status).toBe(200);
  expect(asked).toHaveLength(5);
  impatient = 10;
  expect((await send(bye)).status).toBe(401);
  expect(asked).toHaveLength(8);
});
