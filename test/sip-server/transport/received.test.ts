import { expect, test } from 'vitest';
import { answerPort, answerTarget, markSource } from '../../../src/sip-server/transport/received.ts';
import { request } from '../support/messages.ts';

// RFC 3261 §18.2.1, RFC 3581 §4: sent Via, real source, Via afterwards, port of the answer over UDP.
test.each([
  ['SIP/2.0/UDP 10.0.0.1;branch=b', '10.0.0.1', 5062, 'SIP/2.0/UDP 10.0.0.1;branch=b', 5060],
  ['SIP/2.0/UDP 10.0.0.1:5070;branch=b', '10.0.0.1', 5062, 'SIP/2.0/UDP 10.0.0.1:5070;branch=b', 5070],
  [
    'SIP/2.0/UDP 10.0.0.1:5070;branch=b',
    '10.0.0.9',
    5062,
    'SIP/2.0/UDP 10.0.0.1:5070;branch=b;received=10.0.0.9',
    5070,
  ],
  ['SIP/2.0/UDP host:5070;branch=b', '10.0.0.9', 5062, 'SIP/2.0/UDP host:5070;branch=b;received=10.0.0.9', 5070],
  [
    'SIP/2.0/UDP 10.0.0.1:5070;rport;branch=b',
    '10.0.0.1',
    5062,
    'SIP/2.0/UDP 10.0.0.1:5070;rport=5062;branch=b;received=10.0.0.1',
    5062,
  ],
  // What a client claims about itself is not believed.
  [
    'SIP/2.0/UDP 10.0.0.1;rport=1;received=1.2.3.4;branch=b',
    '10.0.0.9',
    5062,
    'SIP/2.0/UDP 10.0.0.1;rport=5062;branch=b;received=10.0.0.9',
    5062,
  ],
  ['SIP/2.0/UDP 10.0.0.1;received=1.2.3.4;branch=b', '10.0.0.1', 5062, 'SIP/2.0/UDP 10.0.0.1;branch=b', 5060],
  ['SIP/2.0/UDP [2001:DB8:0::1];branch=b', '2001:db8::1', 5062, 'SIP/2.0/UDP [2001:DB8:0::1];branch=b', 5060],
  [
    'SIP/2.0/UDP [fe80::1];rport;branch=b',
    'fe80::2%eth0',
    5062,
    'SIP/2.0/UDP [fe80::1];rport=5062;branch=b;received=fe80::2',
    5062,
  ],
  [
    'SIP/2.0/UDP 10.0.0.1;rport;branch=b, SIP/2.0/UDP 10.0.0.0;rport',
    '10.0.0.1',
    5062,
    'SIP/2.0/UDP 10.0.0.1;rport=5062;branch=b;received=10.0.0.1, SIP/2.0/UDP 10.0.0.0;rport',
    5062,
  ],
])('%s from %s:%i', (via, host, port, expected, expectedPort) => {
  const message = request({ via });
  const before = message.toText();
  markSource(message, { host, port });
  expect(message.header('Via')).toBe(expected);
  expect(answerPort(message, { host, port })).toBe(expectedPort);
  if (via === expected) expect(message.toText()).toBe(before);
});

// RFC 3261 §18.2.2: a new connection for the answer goes to received, else sent-by, at sent-by's port.
test.each([
  ['SIP/2.0/TCP 10.0.0.1:5070;branch=b', { transport: 'tcp', host: '10.0.0.1', port: 5070 }],
  ['SIP/2.0/TCP host;branch=b;received=10.0.0.9', { transport: 'tcp', host: '10.0.0.9', port: 5060 }],
])('%s: a new connection', (via, expected) => {
  expect(answerTarget(request({ via }), 'tcp')).toEqual(expected);
  expect(answerTarget(request({ via: 'SIP/2.0/TLS h' }), 'tls')).toEqual({ transport: 'tls', host: 'h', port: 5061 });
});
