// The RTP ports are bound where the clients that signalling lets in can reach them.
import { expect, test } from 'vitest';
import { rtpBindAddress } from '../../src/config/rtp-address.ts';
import { configSchema } from '../../src/config/schema.ts';

test.each<[string, object, string]>([
  ['by default', {}, '0.0.0.0'],
  ['SIP over IPv6 too', { sip: { listen: ['udp:0.0.0.0:5060', 'udp:[::]:5060'] } }, '::'],
  ['as configured', { sip: { listen: ['udp:[::]:5060'] }, rtp: { bindAddress: '192.0.2.1' } }, '192.0.2.1'],
  [
    'behind a drachtio-server',
    { sip: { listen: ['udp:[::]:5060'] }, drachtio: { address: '127.0.0.1:9022', secret: 'x' } },
    '0.0.0.0',
  ],
])('%s', (_name, settings, address) => {
  expect(rtpBindAddress(configSchema.parse(settings))).toBe(address);
});
