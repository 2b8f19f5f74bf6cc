// `sipreel token`: who may use the HTTP API. Works on the file, whether the recorder runs or not.
import { parseArgs } from 'node:util';
import { AuditFile } from '../archive/audit-file.ts';
import { ROLES, type Role } from '../http/caller.ts';
import { type TokenEntry, TokenStore } from '../http/tokens.ts';
import { systemClock } from '../lib/clock.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { LocalRecorder } from './local-api.ts';
import { configFromFlags } from './serve-options.ts';

export const TOKEN_USAGE = `sipreel token create NAME [--role ROLE] [--scope PATTERN]… [--expires TIME]
sipreel token list [--json]
sipreel token revoke NAME
sipreel token link

create prints a new token, which is kept nowhere and cannot be shown again. revoke ends it at once, with the browser
sessions that it opened. link prints a link that logs a browser on this machine in, once, within 15 minutes.

  --role ROLE       import: hand recordings in, and nothing else (for a PBX).
                    listen: search and play (default). manage: also tags, notes, hold, pause, resume, stop.
                    admin: also deletion and taking a hold away.
  --scope PATTERN   only recordings with such a party (party:10*, party:*@example.com) or group (group:sales);
                    * is any text; may be repeated, one of them has to fit. Without: all recordings.
  --expires TIME    90d, 12h, or a date (2027-01-31); never without
  --data DIR        data directory of the recorder (./data)
  --config FILE     configuration of the recorder`;

const OPTIONS = {
  role: { type: 'string', default: 'listen' },
  scope: { type: 'string', multiple: true, default: [] as string[] },
  expires: { type: 'string' },
  json: { type: 'boolean', default: false },
  data: { type: 'string' },
  config: { type: 'string' },
} as const;

export async function token(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action = '', name, ...rest] = positionals;
  const needsName = action === 'create' || action === 'revoke';
  if (rest.length > 0 || needsName !== (name !== undefined)) return usage();
  const { data } = await configFromFlags({ data: values.data, config: values.config });
  const tokens = new TokenStore(data, systemClock);
  const audit = new AuditFile(data, systemClock);
  switch (action) {
    case 'create': {
      const wanted = readWanted(name!, values);
      if (typeof wanted === 'string') {
        console.error(wanted);
        return EXIT_USAGE;
      }
      const created = await tokens.create(wanted);
      await audit.write({ action: 'token-created', who: 'local', from: null, detail: describe(wanted) });
      console.log(created);
      return EXIT_OK;
    }
    case 'list':
      for (const { sha256: _, ...entry } of await tokens.all()) {
        console.log(values.json ? JSON.stringify(entry) : describe(entry));
      }
      return EXIT_OK;
    case 'revoke':
      if (!(await tokens.revoke(name!))) {
        console.error(`There is no token named ${name}.`);
        return EXIT_FAILED;
      }
      await audit.write({ action: 'token-revoked', who: 'local', from: null, detail: name! });
      return EXIT_OK;
    case 'link': {
      const recorder = await LocalRecorder.find(data);
      const { code } = await recorder.ask<{ code: string }>('POST', '/api/login-codes');
      console.log(`${recorder.url}/#login=${code}`);
      return EXIT_OK;
    }
    default:
      return usage();
  }
}

function usage(): number {
  console.error(TOKEN_USAGE);
  return EXIT_USAGE;
}

type Wanted = Pick<TokenEntry, 'name' | 'role' | 'scope' | 'expiresMs'>;

/** Or what is wrong. */
function readWanted(
  name: string,
  values: { role: string; scope: string[]; expires?: string | undefined },
): Wanted | string {
  if (!ROLES.some((role) => role === values.role)) return `--role is one of ${ROLES.join(', ')}`;
  const scope: TokenEntry['scope'] = { parties: [], groups: [] };
  for (const text of values.scope) {
    const [, kind, pattern] = /^(party|group):(.+)$/.exec(text) ?? [];
    if (kind === undefined || pattern === undefined) return `--scope is party:PATTERN or group:PATTERN, not ${text}`;
    scope[kind === 'party' ? 'parties' : 'groups'].push(pattern);
  }
  const expiresMs = values.expires === undefined ? null : readMoment(values.expires, systemClock.wallMs());
  if (Number.isNaN(expiresMs)) return `--expires is a time to come, like 90d, 12h or 2027-01-31, not ${values.expires}`;
  return { name, role: values.role as Role, scope, expiresMs };
}

/** Unix ms after now; NaN if it is none. */
function readMoment(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  const atMs = count === undefined ? readDate(text) : nowMs + Number(count) * (unit === 'd' ? 86_400_000 : 3_600_000);
  return atMs > nowMs ? atMs : Number.NaN;
}

const readDate = (text: string) => (/^\d{4}-\d{2}-\d{2}(T.*Z)?$/.test(text) ? Date.parse(text) : Number.NaN);

function describe({ name, role, scope, expiresMs }: Wanted): string {
  const patterns = [...scope.parties.map((one) => `party:${one}`), ...scope.groups.map((one) => `group:${one}`)];
  const expires = expiresMs === null ? 'for ever' : `until ${new Date(expiresMs).toISOString()}`;
  return `${name}  ${role}  ${patterns.length > 0 ? patterns.join(' ') : 'all recordings'}  ${expires}`;
}
