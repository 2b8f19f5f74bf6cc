// The process's log: pino, JSON lines on standard output, timestamps in ISO 8601.
import { type DestinationStream, pino } from 'pino';
import type { Log } from '../lib/log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** `destination` 2 keeps standard output free for a command's own result. */
export function processLog(level: LogLevel, destination: 1 | 2 = 1): Log {
  return logInto(pino.destination({ dest: destination, sync: true }), level);
}

/** A line for each message, with no secret in it. */
export function logInto(stream: DestinationStream, level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['secret', '*.secret', 'password', '*.password'], censor: '(not logged)' },
    },
    stream,
  );
}
