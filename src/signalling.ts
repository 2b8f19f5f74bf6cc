// SIP for whoever needs it: the embedded server, or a connection to a drachtio server of the operator's.
import { randomBytes } from 'node:crypto';
import { formatHostPort, parseHostPort, parseSipListener } from './config/addresses.ts';
import type { Config } from './config/schema.ts';
import { connectDrachtio, type DrachtioConnection } from './drachtio/connection.ts';
import { RecorderError } from './lib/errors.ts';
import type { Log } from './lib/log.ts';
import { createSipServer, type DialogState, type SipListener, type SipServerOptions } from './sip-server/index.ts';

export interface Signalling {
  connection: DrachtioConnection;
  sipAddresses: string[];
  /** A dialog as plain data for the next process; a real drachtio server does not give it out. */
  dialogState: (dialogId: string) => DialogState | null;
  /** Requests that were dropped unanswered since the start; a real drachtio server does not tell. */
  unseen: () => number;
}

/** So long requests wait after the start until the door takes them. */
const FIRST_APP_MS = 10_000;

/** The embedded server, or a connection to a real one: from here on nobody can tell them apart. */
export async function startSignalling(
  config: Config,
  screen: SipServerOptions['screen'],
  log: Log,
  closers: (() => Promise<void>)[],
  dialogs: DialogState[],
): Promise<Signalling> {
  const external = config.drachtio.address === null ? null : parseHostPort(config.drachtio.address);
  if (external) {
    const secret = config.drachtio.secret ?? '';
    const patienceMs = config.drachtio.patienceSeconds * 1000;
    const connection = await connectDrachtio({ ...external, secret, log, patienceMs });
    closers.push(() => connection.close());
    const addresses = connection.sipAddresses.map((address) => address.replace('/', ':'));
    return { connection, sipAddresses: addresses, dialogState: () => null, unseen: () => 0 };
  }
  return startEmbedded(sipListeners(config), log, closers, {
    screen,
    limits: { transport: { connectionsPerSource: config.access.connectionsPerSource } },
    dialogs,
    timers: { firstAppMs: FIRST_APP_MS },
  });
}

function sipListeners({ sip, tls }: Config): SipListener[] {
  return sip.listen.map((text) => {
    const { transport, host, port } = parseSipListener(text)!;
    if (transport !== 'tls') return { transport, host, port };
    // The schema has made sure of both files for a tls listener.
    const { certificateFile, keyFile, authoritiesFile, ...others } = tls;
    const files = { certificateFile: certificateFile!, keyFile: keyFile! };
    return { transport, host, port, tls: { ...files, ...(authoritiesFile && { authoritiesFile }), ...others } };
  });
}

/** An embedded SIP server with a drachtio connection to it, over loopback with a secret that nobody else knows. */
export async function startEmbedded(
  listeners: SipListener[],
  log: Log,
  closers: (() => Promise<void>)[],
  options: Pick<SipServerOptions, 'screen' | 'limits' | 'dialogs' | 'timers'> = {},
): Promise<Signalling> {
  const secret = randomBytes(24).toString('base64url');
  const server = createSipServer({
    listeners,
    ...options,
    admin: { host: '127.0.0.1', port: 0, secret },
    log,
  });
  closers.push(() => server.close());
  const { admin, listeningPoints } = await server.start().catch((error: Error) => {
    throw new RecorderError('LISTEN_FAILED', error.message, { cause: error });
  });
  const connection = await connectDrachtio({ ...admin, secret, log, patienceMs: 0 });
  closers.push(() => connection.close());
  const sipAddresses = listeningPoints.map(({ transport, ...address }) => `${transport}:${formatHostPort(address)}`);
  return {
    connection,
    sipAddresses,
    dialogState: (dialogId) => server.dialogState(dialogId),
    unseen: () => server.statistics().unseen,
  };
}

export function isDialogState(value: unknown): value is DialogState {
  return typeof value === 'object' && value !== null && 'callId' in value && 'routeSet' in value;
}
