// A UDP socket for mod_oreka's texts. Reads whole datagrams, also fragmented ones of up to 64 KiB.
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

export interface Endpoint {
  host: string;
  port: number;
}

export interface Listener {
  /** As bound. */
  readonly address: Endpoint;
  /** Fire and forget, as everything here. */
  send(message: Uint8Array, to: Endpoint): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Bursts of calls arrive while the process is busy; the kernel may grant less (net.core.rmem_max). */
const RECEIVE_BUFFER_OCTETS = 4 * 1024 * 1024;

/** `receive` owns the datagram. Rejects with LISTEN_FAILED. */
export function openListener(
  listen: Endpoint,
  receive: (datagram: Buffer, remote: Endpoint) => void,
  log: Log,
): Promise<Listener> {
  const { promise, resolve, reject } = Promise.withResolvers<Listener>();
  const socket = createSocket({
    type: isIP(listen.host) === 6 ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_OCTETS,
  });
  const failed = (error: NodeJS.ErrnoException) => {
    socket.close();
    const detail = `(mod_oreka listener udp:${formatEndpoint(listen)}: ${error.code ?? error.message})`;
    reject(new RecorderError('LISTEN_FAILED', detail, { cause: error }));
  };
  socket.once('error', failed);
  socket.bind(listen.port, listen.host, () => {
    socket.off('error', failed);
    socket.on('error', (error) =>
      log.error({ err: error, listener: formatEndpoint(listen) }, 'mod_oreka socket error'),
    );
    socket.on('message', (datagram, remote) => {
      try {
        receive(datagram, { host: remote.address, port: remote.port });
      } catch (error) {
        log.error({ err: error }, 'a mod_oreka datagram could not be handled');
      }
    });
    const { address: host, port } = socket.address();
    resolve({
      address: { host, port },
      send: (message, to) => socket.send(message, to.port, to.host, () => {}),
      close: closeOnce(() => new Promise<void>((closed) => socket.close(() => closed()))),
    });
  });
  return promise;
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
