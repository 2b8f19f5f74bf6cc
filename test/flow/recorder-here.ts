// The recorder in the process of the test, for what does not depend on processes: it starts in a quarter of the time.
import { parseArgs } from 'node:util';
import type { App } from '../../src/app.ts';
import { logInto } from '../../src/commands/process-log.ts';
import { startRecorder } from '../../src/commands/serve.ts';
import { CONFIG_OPTIONS, configFromFlags } from '../../src/commands/serve-options.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { LoggedRecorder, loopbackArguments } from './logged-recorder.ts';

export class RecorderHere extends LoggedRecorder {
  #app: Promise<App>;
  #over = false;

  /** Takes the arguments of `sipreel serve`. */
  constructor(args: string[]) {
    super();
    const { values } = parseArgs({ args, options: CONFIG_OPTIONS });
    this.#app = this.#start(values);
    this.#app.catch((error) => {
      this.#over = true;
      this.noise.push(String(error));
      this.changed();
    });
  }

  async #start(flags: Parameters<typeof configFromFlags>[0]): Promise<App> {
    const config = await configFromFlags(flags);
    return startRecorder(config, logInto({ write: (line) => this.hear(line) }, config.log.level));
  }

  override get over(): boolean {
    return this.#over;
  }

  async stop(): Promise<void> {
    await (await this.#app.catch(() => null))?.stopNow();
    this.#over = true;
  }
}

/** Records on loopback with free ports into `data`; ended with the test. */
export function recordHere(data: string, ...extra: string[]): RecorderHere {
  const recorder = startHere(data, ...extra);
  whenTestEnds(() => recorder.stop());
  return recorder;
}

/** The same for several tests: whoever starts it ends it. */
export function startHere(data: string, ...extra: string[]): RecorderHere {
  return new RecorderHere(loopbackArguments(data, extra));
}
