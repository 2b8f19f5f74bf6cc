#!/usr/bin/env node
// Arguments and exit codes. Each command is a file of its own, loaded when it is asked for.
import { EXIT_OK, EXIT_USAGE, exitCodeOf } from './commands/exit-codes.ts';
import { shareCompileCache } from './lib/compile-cache.ts';
import { isRecorderError } from './lib/errors.ts';

// Beside the program, and with its owner.
shareCompileCache(new URL('../node_modules/.cache/compile/', import.meta.url));

type Command = (args: string[]) => Promise<number>;

interface CommandEntry {
  summary: string;
  load: () => Promise<{ run: Command; usage: string }>;
}

const COMMANDS: Record<string, CommandEntry> = {
  serve: {
    summary: 'record calls until told to stop',
    load: async () => {
      const { serve, SERVE_USAGE } = await import('./commands/serve.ts');
      return { run: serve, usage: SERVE_USAGE };
    },
  },
  demo: {
    summary: 'record a call that we make ourselves, and show the result',
    load: async () => {
      const { demo, DEMO_USAGE } = await import('./commands/demo.ts');
      return { run: demo, usage: DEMO_USAGE };
    },
  },
  call: {
    summary: 'make test calls to any SIPREC recorder',
    load: async () => {
      const { call, CALL_USAGE } = await import('./commands/call.ts');
      return { run: call, usage: CALL_USAGE };
    },
  },
  list: {
    summary: 'show finished recordings',
    load: async () => {
      const { list, LIST_USAGE } = await import('./commands/list.ts');
      return { run: list, usage: LIST_USAGE };
    },
  },
  deliveries: {
    summary: 'show what could not be told to others yet, or send it again',
    load: async () => {
      const { deliveries, DELIVERIES_USAGE } = await import('./commands/deliveries.ts');
      return { run: deliveries, usage: DELIVERIES_USAGE };
    },
  },
  show: {
    summary: 'show one recording: who, when, how well, what happened',
    load: async () => {
      const { show, SHOW_USAGE } = await import('./commands/show.ts');
      return { run: show, usage: SHOW_USAGE };
    },
  },
  play: {
    summary: 'play a recording here, or write its WAV out',
    load: async () => {
      const { play, PLAY_USAGE } = await import('./commands/play.ts');
      return { run: play, usage: PLAY_USAGE };
    },
  },
  export: {
    summary: 'hand recordings on, as WAV, FLAC, Opus, MP3, JSON or vCon',
    load: async () => {
      const { exportRecordings, EXPORT_USAGE } = await import('./commands/export.ts');
      return { run: exportRecordings, usage: EXPORT_USAGE };
    },
  },
  reindex: {
    summary: 'bring the index in line with the recordings',
    async load() {
      const { reindex, REINDEX_USAGE } = await import('./commands/reindex.ts');
      return { run: reindex, usage: REINDEX_USAGE };
    },
  },
  recover: {
    summary: 'render what a crash left, or a capture of a recorded call',
    load: async () => {
      const { recover, RECOVER_USAGE } = await import('./commands/recover.ts');
      return { run: recover, usage: RECOVER_USAGE };
    },
  },
  'rotate-keys': {
    summary: "encrypt the recordings' keys with the first master key",
    async load() {
      const { rotateKeysCommand, ROTATE_KEYS_USAGE } = await import('./commands/rotate-keys.ts');
      return { run: rotateKeysCommand, usage: ROTATE_KEYS_USAGE };
    },
  },
  upkeep: {
    summary: 'have older recordings encrypted, copied and stored as the settings say now',
    load: async () => {
      const { upkeep, UPKEEP_USAGE } = await import('./commands/upkeep.ts');
      return { run: upkeep, usage: UPKEEP_USAGE };
    },
  },
  verify: {
    summary: 'check finished recordings against their checksums',
    load: async () => {
      const { verify, VERIFY_USAGE } = await import('./commands/verify.ts');
      return { run: verify, usage: VERIFY_USAGE };
    },
  },
  doctor: {
    summary: 'check that this machine and configuration can record',
    load: async () => {
      const { doctor, DOCTOR_USAGE } = await import('./commands/doctor.ts');
      return { run: doctor, usage: DOCTOR_USAGE };
    },
  },
  freeswitch: {
    summary: 'record a live FreeSWITCH channel on demand',
    load: async () => {
      const { freeswitch, FREESWITCH_USAGE } = await import('./commands/freeswitch.ts');
      return { run: freeswitch, usage: FREESWITCH_USAGE };
    },
  },
  record: {
    summary: 'ask a recording client to be recorded',
    load: async () => {
      const { record, RECORD_USAGE } = await import('./commands/record.ts');
      return { run: record, usage: RECORD_USAGE };
    },
  },
  live: {
    summary: 'show the recordings that run now',
    load: async () => {
      const { live, LIVE_USAGE } = await import('./commands/live.ts');
      return { run: live, usage: LIVE_USAGE };
    },
  },
  pause: {
    summary: 'record nothing of a running call, stream or party for now',
    load: async () => {
      const { pause, PAUSE_USAGE } = await import('./commands/live.ts');
      return { run: pause, usage: PAUSE_USAGE };
    },
  },
  resume: {
    summary: 'record it again',
    load: async () => {
      const { resume, RESUME_USAGE } = await import('./commands/live.ts');
      return { run: resume, usage: RESUME_USAGE };
    },
  },
  stop: {
    summary: 'end a running recording',
    load: async () => {
      const { stop, STOP_USAGE } = await import('./commands/live.ts');
      return { run: stop, usage: STOP_USAGE };
    },
  },
  rules: {
    summary: 'say which rule decides about a call',
    load: async () => {
      const { rules, RULES_USAGE } = await import('./commands/rules.ts');
      return { run: rules, usage: RULES_USAGE };
    },
  },
  token: {
    summary: 'say who may use the HTTP API',
    load: async () => {
      const { token, TOKEN_USAGE } = await import('./commands/token.ts');
      return { run: token, usage: TOKEN_USAGE };
    },
  },
  config: {
    summary: 'print the settings in force',
    load: async () => {
      const { config, CONFIG_USAGE } = await import('./commands/config.ts');
      return { run: config, usage: CONFIG_USAGE };
    },
  },
};

function usage(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(11)} ${summary}`);
  return `sipreel COMMAND [options]\n\n${rows.join('\n')}\n\nsipreel COMMAND --help says more.`;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(usage());
    return name === undefined ? EXIT_USAGE : EXIT_OK;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!entry) {
    console.error(`There is no command "${name}".\n\n${usage()}`);
    return EXIT_USAGE;
  }
  const command = await entry.load();
  if (args.includes('--help') || args.includes('-h')) {
    console.log(command.usage);
    return EXIT_OK;
  }
  try {
    return await command.run(args);
  } catch (error) {
    if (isArgumentError(error)) {
      console.error(`${error.message}\n\n${command.usage}`);
      return EXIT_USAGE;
    }
    console.error(isRecorderError(error) ? error.message : error);
    return exitCodeOf(error);
  }
}

/** What node:util parseArgs throws. */
function isArgumentError(error: unknown): error is Error {
  return error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
}

// `sipreel list | head`: who reads us has enough. A recorder goes on, whoever reads what it says.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (process.argv[2] !== 'serve') process.exit(EXIT_OK);
});

// A socket left open by mistake must not keep an operator's terminal or service manager waiting.
process.exit(await main(process.argv.slice(2)));
