import { z } from 'zod';
import { PRIVATE_NETWORKS, parseNetwork } from '../../lib/networks.ts';
import { DEFAULT_SCANNERS } from '../../siprec/access/scanners.ts';
import { parseSipListener } from '../addresses.ts';
import { file, seconds } from './values.ts';

const network = z
  .string()
  .refine((text) => parseNetwork(text) !== null, 'must be an IP address or a network like 10.0.0.0/8');
const networks = z.array(network).max(1_000);
/** Kept out of anything that goes into a digest or a header unquoted (RFC 7616 §3.4). */
export const userName = z.string().regex(/^[^\s":\\]{1,128}$/, 'must be a name without blanks, colons and quotes');
export const userSecret = z.string().min(1).max(256);

export const access = z.strictObject({
  sources: networks
    .default([...PRIVATE_NETWORKS])
    .describe('Addresses and networks that may have calls recorded; others get 403. All: 0.0.0.0/0 and ::/0.'),
  digest: z
    .boolean()
    .default(false)
    .describe('Also ask for the name and secret of a user (digest authentication with SHA-256 or MD5, RFC 8760).'),
  listeners: z
    .array(
      z.strictObject({
        listen: z
          .string()
          .refine((text) => parseSipListener(text) !== null, 'must be udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:…'),
        sources: networks.optional(),
        digest: z.boolean().optional(),
      }),
    )
    .max(64)
    .default([])
    .describe('Other sources or digest for single listeners: a list of listen, sources, digest.'),
  users: z
    .record(userName, userSecret)
    .default({})
    .describe('Names and secrets for digest; better in usersFile, or NAME:SECRET pairs in SIPREEL_ACCESS_USERS.'),
  usersFile: file.describe('File with NAME:SECRET lines, read at the start; # begins a comment.'),
  realm: z
    .string()
    .regex(/^[^"\\\r\n]{1,128}$/, 'must not hold quotes or backslashes')
    .default('sipreel')
    .describe('Realm that clients are told in the challenge.'),
  nonceSeconds: seconds(86_400).min(1).default(300).describe('Seconds for which a challenge can be answered.'),
  callsPerSource: z
    .number()
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'Running calls of one source address (IPv6: one /64); more get 503. Null: limits.recordings alone counts.',
    ),
  callsPerSecondPerSource: z
    .number()
    .positive()
    .max(100_000)
    .nullable()
    .default(null)
    .describe('New calls per second of one source address, twice as many in a burst; more get 503. Null: no limit.'),
  connectionsPerSource: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe('TCP and TLS connections of one source address; more are closed. Embedded SIP server only.'),
  silent: z
    .boolean()
    .default(false)
    .describe('Sources that are not allowed get no answer and no connection instead of 403. Embedded SIP server only.'),
  scanners: z
    .array(z.string().min(3).max(64))
    .max(200)
    .default([...DEFAULT_SCANNERS])
    .describe('Requests with one of these in User-Agent or From are dropped unanswered.'),
});

/** What only shows beside other sections: path and message of each mistake. */
export function accessMistakes(config: {
  access: z.infer<typeof access>;
  sip: { listen: readonly string[] };
  drachtio: { address: string | null };
}): [path: string[], message: string][] {
  const { listeners, digest, users, usersFile } = config.access;
  const mistakes: [string[], string][] = [];
  const named = new Set<string>();
  for (const [index, { listen }] of listeners.entries()) {
    const path = ['access', 'listeners', String(index), 'listen'];
    const isOurs = config.drachtio.address !== null || config.sip.listen.some((each) => isSameListener(each, listen));
    if (!isOurs) mistakes.push([path, `${listen} is none of sip.listen`]);
    if (named.has(listen)) mistakes.push([path, `${listen} is named twice`]);
    named.add(listen);
  }
  const wantsUsers = digest || listeners.some((rule) => rule.digest);
  if (wantsUsers && usersFile === null && Object.keys(users).length === 0)
    mistakes.push([['access', 'users'], 'is empty, and digest wants one: set it, usersFile or SIPREEL_ACCESS_USERS']);
  return mistakes;
}

function isSameListener(a: string, b: string): boolean {
  return JSON.stringify(parseSipListener(a)) === JSON.stringify(parseSipListener(b));
}
