// `sipreel serve`: the recorder until a signal ends it. The first SIGTERM or SIGINT drains, the second stops at once.
import { parseArgs } from 'node:util';
import type { App } from '../app.ts';
import { parsePortRange } from '../config/addresses.ts';
import type { Config } from '../config/schema.ts';
import { collectGarbage, limitYoungGeneration } from '../lib/garbage.ts';
import type { Log } from '../lib/log.ts';
import { EXIT_OK, exitCodeOf } from './exit-codes.ts';
import { openFileLimit, tooFewOpenFiles } from './open-files.ts';
import { processLog } from './process-log.ts';
import { CONFIG_OPTIONS, CONFIG_OPTIONS_USAGE, configFromFlags } from './serve-options.ts';

export const SERVE_USAGE = `sipreel serve [options]

Records every SIPREC call that arrives. Logs one line whose msg is "ready" when all listeners are up.

${CONFIG_OPTIONS_USAGE}`;

export async function serve(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: CONFIG_OPTIONS });
  const config = await configFromFlags(values);
  const log = processLog(config.log.level);
  process.on('uncaughtException', (error) => {
    // Going on records the other calls; a bug in one must not end them all.
    log.error({ err: error }, 'unexpected error: please report it');
  });
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unexpected rejection: please report it'));

  const limit = await openFileLimit();
  const tooFew = limit && tooFewOpenFiles(limit, parsePortRange(config.rtp.ports)!);
  if (tooFew) log.warn({ openFiles: limit.files }, tooFew);

  const app = await startRecorder(config, log).catch((error: unknown) => {
    log.error({ err: error }, error instanceof Error ? error.message : 'start failed');
    return exitCodeOf(error);
  });
  if (typeof app === 'number') return app;
  // Not in the log: it lets in whoever has it first.
  if (app.loginLink) console.error(`Open in a browser on this machine within 15 minutes: ${app.loginLink}`);

  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals++;
      if (signals === 1) {
        log.info({ signal, activeRecordings: app.activeRecordings }, 'draining: new calls are refused');
        void app.drain().then(() => resolve(EXIT_OK));
      } else if (signals === 2) {
        log.info({ signal, activeRecordings: app.activeRecordings }, 'stopping at once');
        void app.stopNow().then(() => resolve(EXIT_OK));
      }
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** What a hundred calls that begin in a second leave behind of themselves in half that time. */
const YOUNG_GENERATION_OCTETS = 16 << 20;

/** Logs one line whose msg is "ready" when all listeners are up. */
export async function startRecorder(config: Config, log: Log): Promise<App> {
  // Only now: help and mistakes in the configuration are told at once.
  const { startApp } = await import('../app.ts');
  const app = await startApp(config, { log });
  collectGarbage();
  limitYoungGeneration(YOUNG_GENERATION_OCTETS);
  const { sipAddresses: sip, orekaAddresses: oreka, httpAddresses: http, recovered, resumed, receiver } = app;
  log.info({ sip, oreka, http, data: config.data, rtpPorts: config.rtp.ports, receiver, recovered, resumed }, 'ready');
  return app;
}
