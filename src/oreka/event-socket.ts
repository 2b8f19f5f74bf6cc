// Recording on demand through FreeSWITCH's event socket (mod_event_socket): list calls, start and stop oreka_record on one.
//
// The `uuid_oreka` command that some guides name exists in no FreeSWITCH. What exists is the dialplan application, and
// uuid_broadcast runs it on a live channel; the two colons keep FreeSWITCH from taking its name for a sound file.
import { type Clock, systemClock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import type { Log } from '../lib/log.ts';
import { type Modesl, openModesl } from './modesl.ts';

export interface EventSocketOptions {
  host: string;
  /** FreeSWITCH's default is 8021. */
  port: number;
  password: string;
  log: Log;
  /** For connecting, and for each command. */
  timeoutMs: number;
  clock?: Clock;
}

/** One channel (call leg) that FreeSWITCH has now. */
export interface FreeswitchCall {
  uuid: string;
  /** ISO 8601 in UTC; null if FreeSWITCH does not say. */
  created: string | null;
  /** `inbound`: FreeSWITCH was called. */
  direction: string;
  callerNumber: string;
  callerName: string;
  /** The dialled digits. */
  destination: string;
  /** `RINGING`, `ACTIVE`, `HELD` … */
  state: string;
}

export interface EventSocket {
  /** False once the connection is lost or closed; connect anew then. */
  readonly isOpen: boolean;
  listCalls(): Promise<FreeswitchCall[]>;
  /** Starts oreka_record on the channel. FreeSWITCH ignores it while it runs already. */
  startRecording(uuid: string): Promise<void>;
  /** Stops it. Only for a channel that is being recorded: on another one, mod_oreka takes it as a start. */
  stopRecording(uuid: string): Promise<void>;
  /** Idempotent. Commands under way are rejected. */
  close(): Promise<void>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Rejects with an Error whose message says what is wrong. The password appears in no message. */
export async function connectEventSocket(options: EventSocketOptions): Promise<EventSocket> {
  const { host, port, password, timeoutMs, clock = systemClock } = options;
  if (/[\r\n]/.test(password)) throw new Error('The event socket password must not contain line breaks.');
  const { promise, resolve, reject } = Promise.withResolvers<EventSocket>();
  const giveUp = (reason: string) => {
    limit.cancel();
    connection.close();
    reject(new Error(`FreeSWITCH's event socket at ${host}:${port} cannot be used: ${reason}.`));
  };
  let socket: ModeslEventSocket | null = null;
  const connection = openModesl(
    { host, port, password },
    {
      ready() {
        limit.cancel();
        socket = new ModeslEventSocket(connection, options);
        resolve(socket);
      },
      failed(reason) {
        if (socket) socket.lost(reason);
        else giveUp(reason);
      },
    },
  );
  const limit = clock.after(timeoutMs, () => giveUp(`no answer within ${timeoutMs} ms`));
  return promise;
}

class ModeslEventSocket implements EventSocket {
  readonly #connection: Modesl;
  readonly #options: EventSocketOptions;
  readonly #pending = new Set<(reason: string) => void>();
  #open = true;

  constructor(connection: Modesl, options: EventSocketOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async listCalls(): Promise<FreeswitchCall[]> {
    const text = await this.#command('show channels as json');
    let rows: unknown;
    try {
      rows = (JSON.parse(text) as { rows?: unknown }).rows ?? [];
    } catch {
      throw new Error('FreeSWITCH did not answer `show channels as json` with JSON.');
    }
    return Array.isArray(rows) ? rows.filter(isRecord).map(readChannel) : [];
  }

  async startRecording(uuid: string): Promise<void> {
    await this.#broadcast(uuid, 'oreka_record::');
  }

  async stopRecording(uuid: string): Promise<void> {
    await this.#broadcast(uuid, 'oreka_record::stop');
  }

  readonly close = closeOnce(() => this.#end('the connection was closed'));

  /** The connection is of no use any more. */
  lost(reason: string): void {
    if (this.#open) this.#options.log.warn({ reason }, "connection to FreeSWITCH's event socket lost");
    this.#end(reason);
  }

  async #broadcast(uuid: string, application: string): Promise<void> {
    if (!UUID.test(uuid)) throw new Error('This is not the UUID of a FreeSWITCH channel.');
    const answer = await this.#command(`uuid_broadcast ${uuid} ${application} aleg`);
    if (!answer.startsWith('+OK')) throw new Error(`FreeSWITCH refused: ${answer.trim() || 'no reason given'}.`);
  }

  #command(command: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const fail = (reason: string) => reject(new Error(`FreeSWITCH could not be asked: ${reason}.`));
    if (!this.#open) {
      fail('the connection is closed');
      return promise;
    }
    const { timeoutMs, clock = systemClock } = this.#options;
    const limit = clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
    this.#pending.add(fail);
    this.#connection.api(command, resolve);
    return promise.finally(() => {
      limit.cancel();
      this.#pending.delete(fail);
    });
  }

  #end(reason: string): void {
    this.#open = false;
    this.#connection.close();
    for (const fail of [...this.#pending]) fail(reason);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A row of `show channels as json`: every value is a string. */
function readChannel(row: Record<string, unknown>): FreeswitchCall {
  const text = (column: string) => String(row[column] ?? '');
  const createdSeconds = Number.parseInt(text('created_epoch'), 10);
  const created = createdSeconds > 0 && createdSeconds < 1e11 ? new Date(createdSeconds * 1000).toISOString() : null;
  return {
    uuid: text('uuid'),
    created,
    direction: text('direction'),
    callerNumber: text('cid_num'),
    callerName: text('cid_name'),
    destination: text('dest'),
    state: text('callstate') || text('state'),
  };
}
