import { describe, expect, test } from 'vitest';
import { clientKey, mergeKey, newBranch, serverKey } from '../../../src/sip-server/transaction/matching.ts';
import { type RequestParts, request } from '../support/messages.ts';

const OURS = 'SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc';

describe('RFC 3261 §17.2.3: branch, sent-by and method', () => {
  test.each<[string, RequestParts, boolean]>([
    ['the same again', { via: OURS }, true],
    ['received and rport added', { via: `${OURS};received=10.0.0.9;rport=7` }, true],
    ['another branch', { via: 'SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabd' }, false],
    ['another host', { via: 'SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKabc' }, false],
    ['another port', { via: 'SIP/2.0/UDP 10.0.0.1:5061;branch=z9hG4bKabc' }, false],
    ['another Call-ID, but the branch counts', { via: OURS, callId: 'other' }, true],
  ])('%s', (_, parts, same) => {
    expect(serverKey(request(parts), 'INVITE') === serverKey(request({ via: OURS }), 'INVITE')).toBe(same);
  });

  test('ACK and CANCEL find their INVITE and are not taken for it', () => {
    const invite = request({ via: OURS });
    for (const method of ['ACK', 'CANCEL']) {
      const other = request({ via: OURS, method });
      expect(serverKey(other, 'INVITE')).toBe(serverKey(invite, 'INVITE'));
      expect(serverKey(other, method)).not.toBe(serverKey(invite, 'INVITE'));
    }
  });

  test('host names are compared in any case', () => {
    const [a, b] = ['Host.Example', 'host.example'].map((host) =>
      request({ via: `SIP/2.0/UDP ${host};branch=z9hG4bKx` }),
    );
    expect(serverKey(a!, 'INVITE')).toBe(serverKey(b!, 'INVITE'));
  });
});

// RFC 4475 §3.2.1: the bare cookie identifies nothing either.
describe.each(['SIP/2.0/UDP 10.0.0.1', 'SIP/2.0/UDP 10.0.0.1;branch=1', 'SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK'])(
  'RFC 2543, %s: Request-URI, tags, Call-ID, CSeq and top Via',
  (via) => {
    test.each<[string, RequestParts, boolean]>([
      ['the same again', { via }, true],
      ['over a new connection', { via: `${via};received=10.0.0.9;rport=7` }, true],
      ['another Call-ID', { via, callId: 'other' }, false],
      ['another CSeq', { via, cseq: 2 }, false],
      ['another From tag', { via, fromTag: 'other' }, false],
      ['another Via', { via: 'SIP/2.0/UDP 10.0.0.1:5061' }, false],
    ])('%s', (_, parts, same) => {
      expect(serverKey(request(parts), 'INVITE') === serverKey(request({ via }), 'INVITE')).toBe(same);
    });

    test('an ACK with a To tag finds its INVITE', () => {
      const ack = request({ via, method: 'ACK', toTag: 'local' });
      expect(serverKey(ack, 'INVITE')).toBe(serverKey(request({ via }), 'INVITE'));
    });
  },
);

test('merged requests are those outside dialogs with the same Call-ID, From tag and CSeq', () => {
  const key = mergeKey(request());
  expect(mergeKey(request({ branch: 'z9hG4bKother' }))).toBe(key);
  expect(mergeKey(request({ toTag: 'in-dialog' }))).toBeNull();
  for (const parts of [{ callId: 'x' }, { cseq: 2 }, { fromTag: 'x' }, { method: 'OPTIONS' }]) {
    expect(mergeKey(request(parts))).not.toBe(key);
  }
});

test('client transactions are found by branch and CSeq method', () => {
  expect(clientKey(request({ branch: 'z9hG4bKq' }))).toBe('INVITE|z9hG4bKq');
  expect(clientKey(request({ via: 'SIP/2.0/UDP h' }))).toBeNull();
});

test('branches carry the cookie and do not repeat', () => {
  const branches = new Set(Array.from({ length: 1_000 }, newBranch));
  expect(branches.size).toBe(1_000);
  for (const branch of branches) expect(branch).toMatch(/^z9hG4bK[0-9a-f]{24}$/);
});
