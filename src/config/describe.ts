// The configuration as text: commented YAML of the values in force, and the README's table. Both come from the schema.
import { stringify } from 'yaml';
import { z } from 'zod';
import { type Config, configSchema } from './schema.ts';

export interface SettingDescription {
  /** Dotted path: `rtp.restSeconds`. */
  path: string;
  default: unknown;
  description: string;
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  description?: string;
  default?: unknown;
}

/** Every setting in the schema's order. */
export function describeSettings(): SettingDescription[] {
  return walk(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema, []);
}

function walk(schema: JsonSchema, path: string[]): SettingDescription[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const here = [...path, name];
    if (property.properties) return walk(property, here);
    return [{ path: here.join('.'), default: property.default, description: property.description ?? '' }];
  });
}

/** YAML that can be saved as a configuration file; every value with its sentence. Secrets are not printed. */
export function printConfig(config: Config): string {
  const lines: string[] = [];
  let section = '';
  for (const setting of describeSettings()) {
    const [first = '', second] = setting.path.split('.');
    const value = valueAt(config, setting.path);
    const shown = isSecret(setting.path, value) ? '(set, not printed)' : value;
    if (second !== undefined && first !== section) lines.push('', `${first}:`);
    section = first;
    const indent = second === undefined ? '' : '  ';
    lines.push(`${indent}# ${setting.description} Default: ${JSON.stringify(setting.default)}`);
    const yaml = stringify(
      { [second ?? first]: shown },
      { lineWidth: 0, flowCollectionPadding: false, collectionStyle: 'flow' },
    );
    lines.push(`${indent}${yaml.trim().replace(/^\{|\}$/g, '')}`);
  }
  return `${lines.join('\n')}\n`;
}

function isSecret(path: string, value: unknown): boolean {
  if (path === 'access.users') return Object.keys(value as object).length > 0;
  // Webhooks' secrets, and headers that may hold tokens.
  if (path === 'delivery.targets' || path === 'sip.credentials') return (value as unknown[]).length > 0;
  // A database's URL mostly holds a password.
  return /(secret|password|postgres|masterKey|secretAccessKey)$/.test(path) && value !== null;
}

/** The README's configuration table. */
export function settingsTable(): string {
  const rows = describeSettings().map(
    ({ path, default: value, description }) => `| \`${path}\` | \`${JSON.stringify(value)}\` | ${description} |`,
  );
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function valueAt(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config);
}
