// The narrow part of drachtio-modesl that the event socket uses, with the defences that it needs.
//
// The package reconnects by itself: after a refused connection every millisecond, without end. Its parser throws out of
// the socket's event handler, and so out of the process, at a malformed % escape, and it keeps any amount of input.
// Its `show` and `bgapi` need subscriptions; only `api` is used.
import type { Socket } from 'node:net';
// @ts-expect-error The package has no types.
import modesl from 'drachtio-modesl';

/** What `show channels` says about some thousands of calls is a few MiB. */
const MAX_INPUT_OCTETS = 64 * 1024 * 1024;

interface ModeslEvent {
  getHeader(name: string): unknown;
  getBody(): unknown;
}

interface ModeslConnection {
  on(event: string, listener: (...parameters: unknown[]) => void): void;
  api(command: string, callback: (event: ModeslEvent) => void): void;
  disconnect(): void;
  /** Set: the package leaves a lost connection alone. */
  closing?: boolean;
  socket: Socket | null;
  parser?: { buffer?: Buffer; _onData(chunk: Buffer): void };
}

const { Connection } = modesl as {
  Connection: new (host: string, port: number, password: string, ready: () => void) => ModeslConnection;
};

export interface ModeslEvents {
  /** Connected and authenticated. */
  ready(): void;
  /** For people. May come several times, and after `ready`; the connection is of no use any more. */
  failed(reason: string): void;
}

export interface Modesl {
  /** Runs an API command; `answered` gets the text of the answer. */
  api(command: string, answered: (text: string) => void): void;
  /** Idempotent. */
  close(): void;
}

/** Connects to mod_event_socket in its "inbound" mode. Never throws for what the network does. */
export function openModesl(address: { host: string; port: number; password: string }, events: ModeslEvents): Modesl {
  const connection = new Connection(address.host, address.port, address.password, () => events.ready());
  connection.closing = true;
  const socket = connection.socket;
  let closed = false;
  const fail = (reason: string) => {
    if (!closed) events.failed(reason);
  };
  connection.on('error', (error) => fail(reasonOf(error)));
  connection.on('esl::end', () => fail('FreeSWITCH closed the connection'));
  connection.on('esl::event::auth::fail', () => fail('FreeSWITCH refused the password'));
  connection.on('esl::event::raw::text/rude-rejection', () =>
    fail("FreeSWITCH refused this address (event_socket.conf's apply-inbound-acl)"),
  );
  connection.on('esl::event::disconnect::notice', () => fail('FreeSWITCH disconnected us'));
  connection.on('esl::connect', () => {
    // The package's own listener has just been added; it would let its parser's exceptions out.
    socket?.removeAllListeners('data');
    socket?.on('data', (chunk: Buffer) => {
      try {
        connection.parser?._onData(chunk);
        if ((connection.parser?.buffer?.length ?? 0) > MAX_INPUT_OCTETS) throw new Error('too much input');
      } catch {
        fail('what came is not the event socket protocol');
        socket.destroy();
      }
    });
  });
  return {
    api(command, answered) {
      connection.api(command, (event) => answered(String(event.getBody() ?? '')));
    },
    close() {
      if (closed) return;
      closed = true;
      // Without a socket disconnect() would emit an error.
      if (connection.socket?.writable) connection.disconnect();
      socket?.destroySoon();
    },
  };
}

function reasonOf(error: unknown): string {
  // The error of several addresses tried in vain has no message.
  const { message, code } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return message || code || 'the connection failed';
}
