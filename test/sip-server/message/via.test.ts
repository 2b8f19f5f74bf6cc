import { expect, test } from 'vitest';
import { bracketed, clientVia, formatVia, parseVia, viaWith } from '../../../src/sip-server/message/via.ts';

test.each([
  [
    'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx;rport',
    { transport: 'UDP', host: '10.0.0.1', port: 5070, branch: 'z9hG4bKx', received: null, rport: 'requested' },
  ],
  [
    'SIP/2.0/tcp host.example.com;Branch=b;received=192.0.2.1;rport=9',
    { transport: 'TCP', host: 'host.example.com', port: null, branch: 'b', received: '192.0.2.1', rport: 9 },
  ],
  // RFC 5118 §4.5: both forms of received
  [
    'SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111',
    { transport: 'UDP', host: '2001:db8::9:1', port: null, branch: 'z9hG4bKas3-111', received: '2001:db8::9:255' },
  ],
  [
    'SIP/2.0/UDP [2001:db8::9:1]:5061;received=2001:db8::9:255;branch=z9hG4bKas3',
    { host: '2001:db8::9:1', port: 5061, received: '2001:db8::9:255' },
  ],
  // RFC 4475 §3.1.1.1, unfolded
  [
    'SIP  / 2.0  / TCP     spindle.example.com   ;   branch  =   z9hG4bK9ikj8',
    { transport: 'TCP', host: 'spindle.example.com', port: null, branch: 'z9hG4bK9ikj8', rport: null },
  ],
  [
    'SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1',
    { transport: 'UDP', host: 'first.example.com', port: 4000, branch: 'z9hG4bKa7c6a8dlze.1' },
  ],
  // RFC 4475 §3.1.2.16 and §3.1.2.1
  ['SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw', { host: 'c.example.com', branch: 'z9hG4bKkdjuw' }],
  ['SIP/2.0/UDP 192.0.2.15;;', { host: '192.0.2.15', port: null, branch: null }],
  ['SIP/2.0/UDP h;rport=0;branch=', { rport: null, branch: null }],
])('%s', (text, expected) => {
  expect(parseVia(text)).toMatchObject(expected);
});

test.each([
  '',
  'SIP/2.0/UDP',
  'SIP/2.0/UDP ;branch=x',
  'HTTP/1.1 h',
  'SIP/2.0 UDP h',
  'SIP/2.0/UDP h:0',
  'SIP/2.0/UDP h:99999',
  'SIP/2.0/UDP h h2',
  'SIP/2.0/UDP [::1',
])('%j is none', (text) => {
  expect(parseVia(text)).toBeNull();
});

test('formatting keeps the order and quotes what needs it', () => {
  expect(formatVia(parseVia('SIP / 2.0 / udp h : 5 ;b=1; rport ;a="x y";received=::1')!)).toBe(
    'SIP/2.0/UDP h:5;b=1;rport;a="x y";received=::1',
  );
  expect(formatVia(clientVia('tcp', '2001:db8::1', 5060, 'z9hG4bK1'))).toBe(
    'SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1;rport',
  );
});

test('a parameter is set in its place, appended, or taken away', () => {
  const via = parseVia('SIP/2.0/UDP h;rport;branch=b')!;
  const filled = viaWith(viaWith(via, 'rport', '5070'), 'received', '10.0.0.9');
  expect(formatVia(filled)).toBe('SIP/2.0/UDP h;rport=5070;branch=b;received=10.0.0.9');
  expect(filled).toMatchObject({ rport: 5070, received: '10.0.0.9' });
  expect(formatVia(viaWith(filled, 'rport', undefined))).toBe('SIP/2.0/UDP h;branch=b;received=10.0.0.9');
  expect(formatVia(via)).toBe('SIP/2.0/UDP h;rport;branch=b');
});

test('brackets around IPv6 only', () => {
  expect([bracketed('::1'), bracketed('127.0.0.1'), bracketed('h')]).toEqual(['[::1]', '127.0.0.1', 'h']);
});
