// The application's connection to a drachtio server, embedded or real: probe, connect, follow losses and returns.
import type { EventEmitter } from 'node:events';
import Srf from 'drachtio-srf';
import { closeOnce } from '../lib/close.ts';
import { isRecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type DrachtioAddress, probeDrachtio } from './probe.ts';

const PROBE_TIMEOUT_MS = 3_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;

export interface DrachtioConnection {
  srf: Srf;
  /** The server's SIP addresses, `udp/10.0.0.1:5060`. */
  sipAddresses: string[];
  close(): Promise<void>;
}

export interface DrachtioConnectionOptions extends DrachtioAddress {
  log: Log;
  /** How long an unreachable server is waited for at the start. A wrong secret or version is never waited for. */
  patienceMs: number;
}

/**
 * Resolves when the server has taken us in. Rejects with DRACHTIO_UNREACHABLE after `patienceMs`, at once with
 * DRACHTIO_REFUSED or DRACHTIO_UNSUITABLE. Later losses are followed by drachtio-srf's own reconnects, with back-off, for ever.
 */
export async function connectDrachtio(options: DrachtioConnectionOptions): Promise<DrachtioConnection> {
  const version = await waitForServer(options);
  const { log } = options;
  const srf = new Srf();
  // The package's own types know only some of the events.
  const events: EventEmitter = srf;
  let closing = false;
  // drachtio-srf retries a refused secret every 255 ms; the message is given once per outage.
  let told = false;
  const tellOnce = (fields: object, message: string) => {
    if (!told && !closing) log.error(fields, message);
    told = true;
  };
  events.on('error', (error: Error) => tellOnce({ err: error }, 'drachtio connection lost: reconnecting'));
  events.on('close', () => tellOnce({}, 'drachtio connection closed: reconnecting'));
  const sipAddresses = await new Promise<string[]>((resolve) => {
    events.on('connect', (error: Error | null, hostPorts?: string | string[]) => {
      if (error) return tellOnce({ err: error }, 'drachtio server no longer takes our secret');
      if (told) log.info({}, 'drachtio connection is back');
      told = false;
      resolve(typeof hostPorts === 'string' ? hostPorts.split(',') : (hostPorts ?? []));
    });
    const { host, port, secret } = options;
    srf.connect({ host, port, secret, reconnect: { retryMaxDelay: LONGEST_RETRY_MS } } as Parameters<
      Srf['connect']
    >[0]);
  });
  log.debug({ version, sipAddresses }, 'connected to the drachtio server');
  return {
    srf,
    sipAddresses,
    close: closeOnce(() => {
      closing = true;
      try {
        srf.disconnect();
      } catch {
        // disconnect() throws when the socket is gone already, which is what we want.
      }
    }),
  };
}

async function waitForServer(options: DrachtioConnectionOptions): Promise<string> {
  const { log, patienceMs } = options;
  let delayMs = FIRST_RETRY_MS;
  for (let waitedMs = 0; ; waitedMs += delayMs, delayMs = Math.min(delayMs * 2, LONGEST_RETRY_MS)) {
    try {
      return await probeDrachtio(options, PROBE_TIMEOUT_MS);
    } catch (error) {
      if (!isRecorderError(error, 'DRACHTIO_UNREACHABLE') || waitedMs >= patienceMs) throw error;
      log.warn({ reason: error.message, retryInMs: delayMs }, 'drachtio server not reachable yet');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
