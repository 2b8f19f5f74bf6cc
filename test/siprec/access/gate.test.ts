// Who is let in, as tables.
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { PRIVATE_NETWORKS } from '../../../src/lib/networks.ts';
import { AccessGate, type AccessOptions, type ArrivingRequest } from '../../../src/siprec/access/gate.ts';
import { DEFAULT_SCANNERS } from '../../../src/siprec/access/scanners.ts';
import { screenOf } from '../../../src/siprec/access/screen.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;
let warnings: { fields: object; message: string }[];

beforeEach(() => {
  clock = new ManualClock();
  warnings = [];
});

const ANYBODY = ['0.0.0.0/0', '::/0'];

function gate(options: Partial<AccessOptions> = {}): AccessGate {
  return new AccessGate({
    general: { sources: PRIVATE_NETWORKS, digest: false },
    listeners: [],
    limit: { calls: null, callsPerSecond: null },
    realm: 'sipreel',
    users: { sbc: 's3cret' },
    nonceLifeMs: 300_000,
    silent: false,
    scanners: DEFAULT_SCANNERS,
    clock,
    log: { ...silentLog, warn: (fields, message) => warnings.push({ fields, message }) },
    ...options,
  });
}

function arriving(from: string, parts: Partial<ArrivingRequest> & { userAgent?: string } = {}): ArrivingRequest {
  const { userAgent = 'OpenSIPS (3.4.9)', ...rest } = parts;
  return {
    method: 'INVITE',
    transport: 'udp',
    local: { host: '10.0.0.5', port: 5060 },
    remote: { host: from },
    headers: [
      { name: 'From', value: '<sip:1001@192.0.2.7>;tag=1' },
      { name: 'User-Agent', value: userAgent },
    ],
    ...rest,
  };
}

/** `in`, or the status and the Warning. */
function verdict(of: AccessGate, request: ArrivingRequest): string {
  const admission = of.judge(request);
  return admission.admitted ? 'in' : String(admission.refusal.status);
}

describe('sources', () => {
  test.each([
    ['127.0.0.1', 'in'],
    ['::1', 'in'],
    ['::ffff:10.9.8.7', 'in'],
    ['192.168.1.1', 'in'],
    ['fd00::1', 'in'],
    ['203.0.113.4', '403'],
    ['::ffff:203.0.113.4', '403'],
    ['2001:db8::1', '403'],
    ['', '403'],
  ])('by default %s: %s', (from, expected) => {
    expect(verdict(gate(), arriving(from))).toBe(expected);
    expect(verdict(gate(), arriving(from, { method: 'OPTIONS' }))).toBe(expected);
  });

  const special = gate.bind(null, {
    listeners: [
      { listener: { transport: 'tls', host: '0.0.0.0', port: 5061 }, rule: { sources: ANYBODY, digest: true } },
      {
        listener: { transport: 'tcp', host: '10.0.0.5', port: 5060 },
        rule: { sources: ['203.0.113.4'], digest: false },
      },
      { listener: { transport: 'tcp', host: '10.0.0.6', port: 0 }, rule: { sources: [], digest: false } },
    ],
  });
  test.each([
    ['its own list, and no other', 'tcp', '10.0.0.5', 5060, '203.0.113.4', 'in'],
    ['its own list, and no other', 'tcp', '10.0.0.5', 5060, '10.0.0.9', '403'],
    ['another transport has the general one', 'udp', '10.0.0.5', 5060, '10.0.0.9', 'in'],
    ['another port too', 'tcp', '10.0.0.5', 5070, '10.0.0.9', 'in'],
    ['another address too', 'tcp', '10.0.0.7', 5060, '10.0.0.9', 'in'],
    ['any port of an address', 'tcp', '10.0.0.6', 34567, '10.0.0.9', '403'],
    ['a wildcard is every address, and asks for digest', 'tls', '10.0.0.5', 5061, '203.0.113.4', '401'],
    ['bound to a wildcard', 'tls', '0.0.0.0', 5061, '203.0.113.4', '401'],
  ])('a listener: %s (%s %s:%d from %s: %s)', (_, transport, host, port, from, expected) => {
    expect(verdict(special(), arriving(from, { transport, local: { host, port } }))).toBe(expected);
  });

  test('a server that does not say where a request came to: the general list', () => {
    expect(verdict(special(), arriving('10.0.0.9', { transport: null, local: null }))).toBe('in');
  });

  test('the refusal says what to do, and the log once a minute', () => {
    const of = gate();
    const admission = of.judge(arriving('203.0.113.4'));
    expect(admission).toMatchObject({
      refusal: { status: 403, headers: { Warning: expect.stringMatching(/^399 sipreel ".*access\.sources/) } },
    });
    for (let i = 0; i < 5; i++) of.judge(arriving('203.0.113.5'));
    expect(warnings).toEqual([
      { fields: expect.objectContaining({ source: '203.0.113.4', more: 0 }), message: expect.stringMatching('403') },
    ]);
    clock.advance(60_001);
    of.judge(arriving('203.0.113.6'));
    expect(warnings[1]!.fields).toMatchObject({ source: '203.0.113.6', more: 5 });
    expect(of.counters.sources).toBe(7);
  });
});

describe('digest', () => {
  const guarded = () => gate({ general: { sources: PRIVATE_NETWORKS, digest: true } });

  test('an INVITE without credentials gets both challenges; a wrong secret is counted and never logged', () => {
    const of = guarded();
    const admission = of.judge(arriving('10.0.0.9'));
    expect(admission).toMatchObject({
      refusal: {
        status: 401,
        headers: { 'WWW-Authenticate': [expect.stringMatching('SHA-256'), expect.stringMatching('MD5')] },
      },
    });
    const request = arriving('10.0.0.9');
    const wrong =
      'Digest username="sbc", realm="sipreel", nonce="x", uri="x", response="00", qop=auth, nc=00000001, cnonce="x"';
    expect(verdict(of, { ...request, headers: [...request.headers, { name: 'Authorization', value: wrong }] })).toBe(
      '401',
    );
    expect(of.counters).toMatchObject({ challenges: 2, wrongCredentials: 1 });
    expect(JSON.stringify(warnings)).not.toMatch(/s3cret|Digest|response/);
    expect(warnings.length).toBe(1);
  });

  test('OPTIONS is not asked, so that a proxy can see whether we are alive', () => {
    expect(verdict(guarded(), arriving('10.0.0.9', { method: 'OPTIONS' }))).toBe('in');
  });

  test('a source that is not allowed is not asked either', () => {
    expect(verdict(guarded(), arriving('203.0.113.4'))).toBe('403');
  });
});

test('limits: 503 with Retry-After, INVITEs alone count', () => {
  const of = gate({ limit: { calls: 1, callsPerSecond: null } });
  const first = of.judge(arriving('10.0.0.9'));
  expect(of.judge(arriving('10.0.0.9'))).toMatchObject({
    refusal: { status: 503, headers: { 'Retry-After': '10', Warning: expect.stringMatching('limit of calls') } },
  });
  expect(verdict(of, arriving('10.0.0.9', { method: 'OPTIONS' }))).toBe('in');
  if (first.admitted) first.release();
  expect(verdict(of, arriving('10.0.0.9'))).toBe('in');
  expect(of.counters.limited).toBe(1);
});

describe('scanners', () => {
  test.each([
    ['friendly-scanner', true],
    ['SIPVicious', true],
    ['sipcli/v1.8', true],
    ['pplsip', true],
    ['OpenSIPS (3.4.9 (x86_64/linux))', false],
    ['Oracle/SCZ9.1.0', false],
    ['Cisco-SIPGateway/IOS-16.9.1', false],
    ['', false],
  ])('User-Agent %s: %s', (userAgent, expected) => {
    const of = gate();
    expect(verdict(of, arriving('10.0.0.9', { userAgent })) === '403').toBe(expected);
    expect(of.counters.scanners).toBe(expected ? 1 : 0);
  });

  test('From gives it away too, and the answer tells nothing of us', () => {
    const headers = [{ name: 'f', value: '"sipvicious"<sip:100@1.1.1.1>;tag=1' }];
    expect(gate().judge(arriving('10.0.0.9', { headers }))).toEqual({
      admitted: false,
      refusal: { status: 403, reason: 'Forbidden', headers: {} },
    });
  });
});

describe('the screen of the embedded server', () => {
  const seen = (of: AccessGate, from: string, userAgent = 'OpenSIPS') => {
    const arrival = { transport: 'udp', local: { host: '10.0.0.5', port: 5060 }, remote: { host: from } };
    const header = (name: string) => (name === 'User-Agent' ? userAgent : null);
    const screen = screenOf(of);
    return [screen.admitsConnection(arrival), screen.admitsRequest({ ...arrival, header })];
  };

  test('scanners are dropped always, other strangers if silence is wanted', () => {
    expect(seen(gate(), '10.0.0.9')).toEqual([true, true]);
    expect(seen(gate(), '10.0.0.9', 'friendly-scanner')).toEqual([true, false]);
    expect(seen(gate(), '203.0.113.4')).toEqual([true, true]);
    expect(seen(gate({ silent: true }), '203.0.113.4')).toEqual([false, false]);
    expect(seen(gate({ silent: true }), '10.0.0.9')).toEqual([true, true]);
  });
});
