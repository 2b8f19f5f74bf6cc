// Defaults, file, environment, command line: the later wins. All mistakes are told at once.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { z } from 'zod';
import { RecorderError } from '../lib/errors.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';
import { parseUsers, withUsersOfFile } from './users-file.ts';

export interface ConfigSources {
  /** Path of a YAML (or JSON) file; undefined for none. */
  file?: string | undefined;
  environment?: Record<string, string | undefined>;
  overrides?: ConfigInput;
}

/** Loaded for those who have a file. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml');

const MAX_FILE_OCTETS = 1 << 20;

/** Throws CONFIG_INVALID whose message lists every mistake, one per line. */
export function loadConfig(sources: ConfigSources): Config {
  const merged = merge(
    merge(readFile(sources.file), fromEnvironment(sources.environment ?? {})),
    sources.overrides ?? {},
  );
  const parsed = configSchema.safeParse(merged);
  if (parsed.success) return withUsersOfFile(parsed.data);
  throw new RecorderError('CONFIG_INVALID', `\n${parsed.error.issues.map(describeIssue).join('\n')}`);
}

function readFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined) return {};
  let content: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > MAX_FILE_OCTETS) throw new Error('larger than 1 MiB');
    content = yaml().parse(text) ?? {};
  } catch (error) {
    throw new RecorderError('CONFIG_INVALID', `${path}: ${(error as Error).message}`, { cause: error });
  }
  if (!isObject(content)) throw new RecorderError('CONFIG_INVALID', `${path}: must hold settings, one per line`);
  return content;
}

/** The only settings taken from the environment are secrets, which do not belong on a command line. */
function fromEnvironment(environment: Record<string, string | undefined>): Record<string, unknown> {
  const secret = environment.SIPREEL_DRACHTIO_SECRET;
  const password = environment.SIPREEL_FREESWITCH_PASSWORD;
  const postgres = environment.SIPREEL_INDEX_POSTGRES;
  const accessKeyId = environment.SIPREEL_S3_ACCESS_KEY_ID;
  const secretAccessKey = environment.SIPREEL_S3_SECRET_ACCESS_KEY;
  const masterKey = environment.SIPREEL_MASTER_KEY;
  return {
    ...(secret ? { drachtio: { secret } } : {}),
    ...(password ? { freeswitch: { password } } : {}),
    ...(postgres ? { index: { postgres } } : {}),
    ...(accessKeyId || secretAccessKey
      ? { s3: { ...(accessKeyId ? { accessKeyId } : {}), ...(secretAccessKey ? { secretAccessKey } : {}) } }
      : {}),
    ...(masterKey ? { encryption: { masterKey } } : {}),
    ...usersFrom(environment.SIPREEL_ACCESS_USERS),
  };
}

/** NAME:SECRET pairs, separated by blanks. */
function usersFrom(pairs: string | undefined): Record<string, unknown> {
  if (!pairs) return {};
  const { users, mistakes } = parseUsers(pairs.trim().replace(/\s+/g, '\n'));
  if (mistakes.length > 0)
    throw new RecorderError('CONFIG_INVALID', `SIPREEL_ACCESS_USERS must hold NAME:SECRET pairs with blanks between`);
  return { access: { users } };
}

function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = result[key];
    result[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `  ${path ? `${path}.` : ''}${key}: unknown setting`).join('\n');
  }
  return `  ${path || 'configuration'}: ${issue.message}`;
}

/** Rules are counted from 1, as in the log and in recording.json. */
function pathOf([section, list, index, ...rest]: readonly PropertyKey[]): string {
  if (section === 'rules' && list === 'list' && typeof index === 'number')
    return [`rules.list, rule ${index + 1}`, ...rest].join('.');
  return [section, list, index, ...rest].filter((step) => step !== undefined).join('.');
}
