// What `sipreel doctor` says about the HTTP API.
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { parseHostPort } from '../config/addresses.ts';
import type { Config } from '../config/schema.ts';
import { isLoopback } from '../http/host-check.ts';
import { TokenStore } from '../http/tokens.ts';
import { systemClock } from '../lib/clock.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

export async function checkHttp({ http, data }: Config): Promise<Finding[]> {
  if (http.listen.length === 0) return [warn('there is no HTTP API (http.listen is empty)')];
  const findings = await Promise.all(http.listen.map(checkListener));
  try {
    const tokens = await new TokenStore(resolve(data), systemClock).valid();
    const open = http.listen.filter((text) => !isLoopback(parseHostPort(text)!.host));
    if (open.length === 0) return findings;
    if (tokens.length === 0)
      findings.push(warn(`HTTP on ${open.join(', ')}: nobody can log in without a token (sipreel token create)`));
    if (http.trustedProxies.length === 0) {
      findings.push(warn(`HTTP on ${open.join(', ')} is not encrypted: put a proxy with TLS before it`));
    }
  } catch (error) {
    findings.push(fail((error as Error).message));
  }
  return findings;
}

function checkListener(text: string): Promise<Finding> {
  return new Promise((resolveFinding) => {
    const server = createServer();
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const hint = code === 'EADDRINUSE' ? 'another program has it (is the recorder running?)' : message;
      resolveFinding(fail(`HTTP address ${text} cannot be bound: ${hint}`));
    });
    const { host, port } = parseHostPort(text)!;
    server.listen({ host, port, exclusive: true }, () =>
      server.close(() => resolveFinding(ok(`HTTP address ${text} is free`))),
    );
  });
}
