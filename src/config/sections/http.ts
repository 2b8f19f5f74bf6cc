import { isIP } from 'node:net';
import { z } from 'zod';
import { parseNetwork } from '../../lib/networks.ts';
import { parseHostPort } from '../addresses.ts';

const listener = z.string().refine((text) => {
  const address = parseHostPort(text);
  return address !== null && isIP(address.host) !== 0;
}, 'must be ADDRESS:PORT with an IP address');
const network = z
  .string()
  .refine((text) => parseNetwork(text) !== null, 'must be an IP address or a network like 10.0.0.0/8');

export const http = z.strictObject({
  listen: z
    .array(listener)
    .max(16)
    .default(['127.0.0.1:8060'])
    .describe('Addresses of the HTTP API (plain HTTP: put a proxy with TLS before any but loopback). Empty: no API.'),
  hosts: z
    .array(z.string().regex(/^[a-z0-9._-]+$/, 'must be a host name in lower case, without a port'))
    .max(64)
    .default([])
    .describe('Host names under which it is reached, as a proxy passes them on. Over loopback others are refused.'),
  trustedProxies: z
    .array(network)
    .max(64)
    .default([])
    .describe('Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.'),
  metrics: z
    .enum(['token', 'open'])
    .default('token')
    .describe('Whether /metrics needs a token or is given to everybody.'),
  requestsPerMinute: z
    .number()
    .int()
    .min(10)
    .max(1_000_000)
    .default(1_200)
    .describe('Requests of one token, or of one address without a token, per minute.'),
  importMaxMiB: z
    .number()
    .min(1)
    .max(1_000_000)
    .default(1_024)
    .describe('MiB that a recording which is handed in (POST /api/import) may have.'),
  sessionHours: z.number().min(0.1).max(720).default(12).describe('Hours after which a browser has to log in again.'),
  sessionIdleHours: z.number().min(0.1).max(720).default(2).describe('The same without any request.'),
});
