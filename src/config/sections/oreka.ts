import { z } from 'zod';
import { PRIVATE_NETWORKS, parseNetwork } from '../../lib/networks.ts';
import { parseOrekaListener } from '../addresses.ts';
import { seconds } from './values.ts';

export const oreka = z.strictObject({
  listen: z
    .array(z.string().refine((text) => parseOrekaListener(text) !== null, 'must be ADDRESS:PORT with an IP address'))
    .max(64)
    .default(['0.0.0.0:15060'])
    .describe("Addresses on which FreeSWITCH's mod_oreka is heard (UDP). An empty list switches it off."),
  allowedSources: z
    .array(
      z.string().refine((text) => parseNetwork(text) !== null, 'must be an IP address or a network like 10.0.0.0/8'),
    )
    .max(1_000)
    .default([...PRIVATE_NETWORKS])
    .describe('Addresses and networks that mod_oreka may send from; it has no authentication, and opens ports here.'),
  answer: z.boolean().default(false).describe('Answer its messages with 200 OK. FreeSWITCH does not wait for it.'),
  byeGraceSeconds: seconds(3_600)
    .default(10)
    .describe('Seconds that a recording waits for the other side when only one of the two has ended.'),
  inactivitySeconds: seconds(604_800)
    .min(1)
    .default(3_600)
    .describe(
      'Seconds without a packet after which a mod_oreka recording ends; its holds and queues are silent, and its BYE may be lost.',
    ),
});
