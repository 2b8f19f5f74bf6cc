import { z } from 'zod';
import { parseSipListener } from '../addresses.ts';
import { userName, userSecret } from './access.ts';

const sipListener = z
  .string()
  .refine(
    (text) => parseSipListener(text) !== null,
    'must be udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT with an IP address',
  );

export const sip = z.strictObject({
  listen: z
    .array(sipListener)
    .min(1)
    .max(64)
    .default(['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'])
    .describe(
      'Addresses on which SIP is taken (udp:, tcp:, tls:); keep UDP and TCP on the same port. Not used with an external drachtio server.',
    ),
  answerDelayMs: z
    .number()
    .int()
    .min(0)
    .max(5_000)
    .default(10)
    .describe(
      'Milliseconds between an INVITE and its first final answer at the least; OpenSIPS loses answers that come within about 1 ms.',
    ),
  credentials: z
    .array(z.strictObject({ realm: z.string().max(256).nullable().default(null), user: userName, secret: userSecret }))
    .max(100)
    .default([])
    .describe(
      'As whom clients are answered that challenge our own requests (sipreel record): a list of realm, user, secret; without realm for all others.',
    ),
  acceptPlainCalls: z
    .boolean()
    .default(false)
    .describe('Also record INVITEs that look like an ordinary call (sendrecv audio, no SIPREC marks).'),
});
