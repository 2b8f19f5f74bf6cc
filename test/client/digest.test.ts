// Challenges as they come, and the answers of RFC 7616.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { answerChallenge } from '../../src/client/digest.ts';

const WHO = { user: 'sbc', password: 's3cret' };
const LINE = { method: 'INVITE', uri: 'sip:192.0.2.10' };
const parameter = (header: string | null, name: string) => new RegExp(`\\b${name}="?([^",]*)`).exec(header ?? '')?.[1];

test.each([
  [
    'SHA-256 and MD5: the stronger',
    'Digest realm="a, b", nonce="n", algorithm=SHA-256, qop="auth",Digest realm="a, b", nonce="n", algorithm=MD5, qop="auth"',
    'SHA-256',
  ],
  [
    'in either order',
    'Digest realm="a, b", nonce="n", algorithm=MD5, qop="auth", Digest realm="a, b", nonce="n", algorithm=SHA-256, qop="auth"',
    'SHA-256',
  ],
  ['MD5 unless it is said', 'Digest realm="a, b", nonce="n", qop="auth-int, auth"', 'MD5'],
])('%s', (_, challenge, algorithm) => {
  const header = answerChallenge(challenge, WHO, LINE);
  const hex = (text: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const cnonce = parameter(header, 'cnonce');
  expect(parameter(header, 'algorithm')).toBe(algorithm);
  expect(parameter(header, 'response')).toBe(
    hex(`${hex('sbc:a, b:s3cret')}:n:00000001:${cnonce}:auth:${hex('INVITE:sip:192.0.2.10')}`),
  );
});

test('without qop as RFC 2069 has it', () => {
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const header = answerChallenge('Digest realm="r", nonce="n", opaque="o"', WHO, LINE);
  expect(parameter(header, 'response')).toBe(md5(`${md5('sbc:r:s3cret')}:n:${md5('INVITE:sip:192.0.2.10')}`));
  expect(header).toMatch(/opaque="o"$/);
  expect(header).not.toMatch('qop');
});

test('what cannot be answered', () => {
  for (const challenge of ['', 'Basic realm="x"', 'Digest realm="x", nonce="n", algorithm=SHA-512-256'])
    expect(answerChallenge(challenge, WHO, LINE)).toBeNull();
});
