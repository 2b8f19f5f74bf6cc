// `sipreel config --print`: the settings in force, as a file that can be saved and edited.
import { parseArgs } from 'node:util';
import { printConfig, settingsTable } from '../config/describe.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { CONFIG_OPTIONS, CONFIG_OPTIONS_USAGE, configFromFlags } from './serve-options.ts';

export const CONFIG_USAGE = `sipreel config --print [options]

Prints the settings in force as commented YAML, or every mistake in them. --table prints them as a Markdown table.

${CONFIG_OPTIONS_USAGE}`;

export async function config(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { ...CONFIG_OPTIONS, print: { type: 'boolean' }, table: { type: 'boolean' } },
  });
  const { print, table, ...flags } = values;
  if (!print && !table) {
    console.error(CONFIG_USAGE);
    return EXIT_USAGE;
  }
  const loaded = await configFromFlags(flags);
  process.stdout.write(table ? `${settingsTable()}\n` : printConfig(loaded));
  return EXIT_OK;
}
