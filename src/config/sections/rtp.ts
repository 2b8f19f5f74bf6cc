import { z } from 'zod';
import { parsePortRange } from '../addresses.ts';
import { ipAddress, seconds } from './values.ts';

const portRange = z.string().refine((text) => {
  const range = parsePortRange(text);
  return range !== null && range.last - range.first >= 3;
}, 'must be FIRST-LAST with at least four ports between 1 and 65535');

export const rtp = z.strictObject({
  mediaAddress: ipAddress
    .nullable()
    .default(null)
    .describe('Address in our SDP answers. Null: the local address that faces the client.'),
  bindAddress: ipAddress
    .nullable()
    .default(null)
    .describe(
      'Address on which the RTP ports are bound. Null: 0.0.0.0, or :: for both families if SIP is taken over IPv6.',
    ),
  ports: portRange
    .default('40000-64999')
    .describe('Port range for RTP (even) and RTCP (odd); a call with two parties takes four.'),
  restSeconds: seconds(3_600)
    .default(5)
    .describe(
      "Seconds that the ports of an ended call stay bound, because one ICMP error stops rtpproxy's copy for good.",
    ),
  receiverReports: z.boolean().default(true).describe('Send RTCP receiver reports to the media senders.'),
  receiver: z
    .enum(['auto', 'linux', 'dgram'])
    .default('auto')
    .describe(
      'How media is received. linux: system calls, half the CPU, on 64-bit Linux. dgram: works everywhere. auto: linux where it works.',
    ),
  workers: z
    .number()
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe(
      'Capture threads that take calls; 0 is one less than the cores, between 1 and 4. One more waits loaded for one that dies.',
    ),
});
