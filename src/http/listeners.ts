// The listening sockets. Each has limits on size and time, so that slow or greedy clients cost little.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';

const HEADERS_LIMIT_MS = 10_000;
/** Of the longest requests, which are imports; others have a limit of their own. */
const REQUEST_LIMIT_MS = 3_600_000;
const KEEP_ALIVE_MS = 10_000;
/** A connection on which nothing moves in either direction: also a listener who does not take the audio. */
const IDLE_LIMIT_MS = 60_000;
const MAX_HEADER_OCTETS = 16 << 10;
const MAX_CONNECTIONS = 1_000;
/** Downloads that run when the door closes may go on for so long. */
const CLOSE_GRACE_MS = 2_000;

export interface Listeners {
  /** As bound. */
  addresses: { host: string; port: number }[];
  close(): Promise<void>;
}

/** Rejects with LISTEN_FAILED; nothing is left open then. */
export async function listen(
  wanted: readonly { host: string; port: number }[],
  handle: RequestListener,
): Promise<Listeners> {
  const servers: Server[] = [];
  const close = closeOnce(async () => {
    await Promise.all(servers.map(closeServer));
  });
  const addresses = [];
  for (const { host, port } of wanted) {
    const server = createServer(
      {
        headersTimeout: HEADERS_LIMIT_MS,
        requestTimeout: REQUEST_LIMIT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MAX_HEADER_OCTETS,
        connectionsCheckingInterval: 2_000,
      },
      handle,
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.setTimeout(IDLE_LIMIT_MS, (socket) => socket.destroy());
    servers.push(server);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, exclusive: true }, resolve);
      });
    } catch (error) {
      servers.pop();
      await close();
      throw new RecorderError('LISTEN_FAILED', `http ${host}:${port}: ${(error as Error).message}`, { cause: error });
    }
    addresses.push({ host, port: (server.address() as AddressInfo).port });
  }
  return { addresses, close };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(limit);
      resolve();
    });
    server.closeIdleConnections();
  });
}
