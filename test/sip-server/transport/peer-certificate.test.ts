import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCertificateFor, namesOf } from '../../../src/sip-server/transport/peer-certificate.ts';

describe('names of a certificate as Node tells them', () => {
  test.each([
    [undefined, []],
    ['', []],
    ['DNS:localhost, IP Address:127.0.0.1', ['DNS:localhost', 'IP Address:127.0.0.1']],
    [
      'DNS:a.example, URI:sip:a.example, email:x@a.example',
      ['DNS:a.example', 'URI:sip:a.example', 'email:x@a.example'],
    ],
    // Values that could be taken for several are JSON strings (CVE-2021-44532).
    ['DNS:"good.example, DNS:evil.example", DNS:b.example', ['DNS:good.example, DNS:evil.example', 'DNS:b.example']],
    ['URI:"sip:a.example;x=\\"y"', ['URI:sip:a.example;x="y']],
  ])('%s', (subjectaltname, altNames) => {
    expect(namesOf({ subject: { CN: 'a' }, subjectaltname } as never)).toEqual({ commonName: 'a', altNames });
  });

  test('no common name, several, no subject', () => {
    expect(namesOf({ subject: {} } as never).commonName).toBeNull();
    expect(namesOf({ subject: { CN: ['a', 'b'] } } as never).commonName).toBeNull();
    expect(namesOf({} as never)).toEqual({ commonName: null, altNames: [] });
  });

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (subjectaltname, host) => {
        isCertificateFor(namesOf({ subject: { CN: host }, subjectaltname } as never), host);
      }),
      { numRuns: 300 },
    );
  });
});

// RFC 5922 §7.1 and §7.2: alternative names, common name, host, whether it fits.
test.each([
  [['DNS:sbc.example'], null, 'sbc.example', true],
  [['DNS:sbc.example'], null, 'SBC.Example', true],
  [['DNS:sbc.example'], null, 'example', false],
  [['DNS:sbc.example', 'DNS:other.example'], null, 'other.example', true],
  [['URI:sip:example.com'], null, 'example.com', true],
  [['URI:sip:example.com:5061'], null, 'example.com', true],
  // A SIP URI takes the word from DNS names.
  [['URI:sip:example.com', 'DNS:sbc.example.com'], null, 'sbc.example.com', false],
  [['URI:https://example.com', 'DNS:sbc.example.com'], null, 'sbc.example.com', true],
  // Neither with a user nor with another scheme is it a domain.
  [['URI:sip:alice@example.com'], null, 'example.com', false],
  [['URI:sips:example.com'], null, 'example.com', false],
  // No wildcards.
  [['DNS:*.example.com'], null, 'sbc.example.com', false],
  [['DNS:*.example.com'], null, '*.example.com', true],
  [['DNS:.example.com'], null, 'sbc.example.com', false],
  // The common name only where there is nothing else.
  [[], 'sbc.example', 'sbc.example', true],
  [[], '127.0.0.1', '127.0.0.1', false],
  [[], null, 'sbc.example', false],
  [['DNS:a.example'], 'sbc.example', 'sbc.example', false],
  // Addresses are no names.
  [['IP Address:127.0.0.1'], null, '127.0.0.1', true],
  [['IP Address:0:0:0:0:0:0:0:1'], null, '[::1]', true],
  [['IP Address:127.0.0.1'], null, '127.0.0.2', false],
  [['DNS:127.0.0.1'], '127.0.0.1', '127.0.0.1', false],
  [['URI:sip:127.0.0.1'], null, '127.0.0.1', false],
])('%j, CN %s: for %s %s', (altNames, commonName, host, expected) => {
  expect(isCertificateFor({ altNames, commonName }, host)).toBe(expected);
});
