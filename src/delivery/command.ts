// A program run for each event: without a shell, its arguments filled in one by one, the event as JSON on its standard input.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { RecordingDocument } from '../recording/document.ts';
import type { DeliveryEvent, EventType } from './event.ts';
import { DeliveryFailure, type DeliveryTarget } from './target.ts';
import { fillTemplate } from './template.ts';
import { webhookBody } from './webhook.ts';

export interface CommandOptions {
  name: string;
  events: readonly EventType[];
  /** Program and arguments; `{audio}` is the path of the WAV, `{directory}` that of the recording, further fields: template.ts. */
  command: readonly string[];
  timeoutMs: number;
  publicUrl: string | null;
  /** Where the recording's files are; null if they are not on this machine (any more). */
  directoryOf: (recordingId: string) => Promise<string | null>;
}

const SHOWN_OCTETS = 300;

export function createCommand(options: CommandOptions): DeliveryTarget {
  return {
    name: options.name,
    events: options.events,
    async deliver(event, signal) {
      const [program = '', ...rest] = await filledCommand(options, event);
      await run(program, rest, webhookBody(event, options.publicUrl), options.timeoutMs, signal);
    },
  };
}

async function filledCommand({ command, directoryOf }: CommandOptions, event: DeliveryEvent): Promise<string[]> {
  const { recording } = event.data as { recording: RecordingDocument };
  const directory = (await directoryOf(event.recordingId)) ?? '';
  const paths: Record<string, string> = {
    '{audio}': directory && join(directory, 'audio.wav'),
    '{directory}': directory,
  };
  // Only a finished recording has all that a template may ask for.
  const whole = 'version' in recording;
  return command.map((part) => {
    const withPaths = part.replace(/\{audio\}|\{directory\}/g, (field) => paths[field] ?? '');
    return whole ? fillTemplate(withPaths, recording) : withPaths.replaceAll('{id}', event.recordingId);
  });
}

function run(program: string, parts: string[], input: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const { PATH = '', HOME = '', LANG = '', TZ = '' } = process.env;
    const child = spawn(program, parts, {
      shell: false,
      // Our own environment may hold secrets.
      env: { PATH, HOME, LANG, TZ },
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      signal,
    });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      if (said.length < SHOWN_OCTETS) said += piece.toString('utf8');
    });
    // It need not read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', (error) => reject(new DeliveryFailure('refused', `${program}: ${error.message}`)));
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve();
      else {
        const end = code === null ? `was ended by ${killedBy}` : `ended with ${code}`;
        reject(new DeliveryFailure('refused', `${program} ${end}: ${said.trim().slice(0, SHOWN_OCTETS)}`));
      }
    });
  });
}
