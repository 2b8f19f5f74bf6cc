// `access.usersFile`, and the same pairs in the environment: NAME:SECRET, one a line.
import { readFileSync } from 'node:fs';
import { RecorderError } from '../lib/errors.ts';
import type { Config } from './schema.ts';
import { userName, userSecret } from './sections/access.ts';

const MAX_OCTETS = 1 << 20;

/** The configuration with the users of its file. Throws CONFIG_INVALID that names every line that is wrong, but no secret. */
export function withUsersOfFile(config: Config): Config {
  const { access } = config;
  if (access.usersFile === null) return config;
  const { users, mistakes } = parseUsers(readUsers(access.usersFile));
  const all = { ...access.users, ...users };
  const wanted = access.digest || access.listeners.some(({ digest }) => digest);
  if (mistakes.length === 0 && wanted && Object.keys(all).length === 0)
    mistakes.push('  has no users, and digest wants one');
  if (mistakes.length > 0)
    throw new RecorderError('CONFIG_INVALID', `access.usersFile ${access.usersFile}:\n${mistakes.join('\n')}`);
  return { ...config, access: { ...access, users: all } };
}

/** Lines that are empty or begin with # are passed over. */
export function parseUsers(text: string): { users: Record<string, string>; mistakes: string[] } {
  const users: Record<string, string> = Object.create(null);
  const mistakes: string[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [name, secret] = [line.slice(0, Math.max(0, colon)), line.slice(colon + 1)];
    if (colon < 0 || !userName.safeParse(name).success || !userSecret.safeParse(secret).success)
      mistakes.push(`  line ${index + 1} is not NAME:SECRET`);
    else if (name in users) mistakes.push(`  line ${index + 1} names a user for the second time`);
    else users[name] = secret;
  }
  return { users: { ...users }, mistakes };
}

function readUsers(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > MAX_OCTETS) throw new Error('larger than 1 MiB');
    return text;
  } catch (error) {
    throw new RecorderError('CONFIG_INVALID', `access.usersFile: ${(error as Error).message}`, { cause: error });
  }
}
