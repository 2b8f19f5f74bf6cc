// The admin port: takes connections of apps, keeps their routes, and gives each one an App.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { closeOnce } from '../../lib/close.ts';
import type { Log } from '../../lib/log.ts';
import type { DialogOwner } from '../dialog/owner.ts';
import { isToken } from '../message/header-names.ts';
import type { App } from './app.ts';
import { type AdminLimits, AppConnection, type LoggedInCommand } from './app-connection.ts';
import { replyFrame } from './metadata.ts';
import { RouteTable } from './routes.ts';

export interface AdminServerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  secret: string;
  clock: Clock;
  log: Log;
  limits: AdminLimits;
  greeting(): readonly string[];
  newApp(write: (frame: Buffer) => void): App;
  /** It has registered for INVITE. */
  onAppReady(app: DialogOwner): void;
  onAppGone(app: DialogOwner): void;
}

export class AdminServer {
  readonly close = closeOnce(() => this.#close());
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #routes = new RouteTable<App>();
  readonly #connections = new Set<AppConnection>();

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Rejects with the system's error. */
  async start(): Promise<void> {
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
  }

  get address(): { host: string; port: number } {
    const address = this.#server.address();
    return { host: this.#options.host, port: address && typeof address === 'object' ? address.port : 0 };
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** The app whose turn it is for a new request of that method. */
  ownerFor(method: string): App | null {
    return this.#routes.next(method) ?? null;
  }

  #accept(socket: Socket): void {
    const { log, limits } = this.#options;
    if (this.#connections.size >= limits.connections) {
      log.warn({ limit: limits.connections }, 'an app was turned away: too many connections on the admin port');
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const verbs = new Set<string>();
    const app = this.#options.newApp((frame) => connection.write(frame));
    const connection: AppConnection = new AppConnection({
      socket,
      secret: this.#options.secret,
      clock: this.#options.clock,
      limits,
      greeting: this.#options.greeting,
      onCommand: (command) => this.#execute(command, app, connection, verbs),
      onClosed: (why) => {
        this.#connections.delete(connection);
        this.#routes.removeApp(app);
        this.#options.onAppGone(app);
        log.info({ app: connection.peer, why }, 'the connection of an app has ended');
      },
    });
    this.#connections.add(connection);
  }

  #execute(command: LoggedInCommand, app: App, connection: AppConnection, verbs: Set<string>): void {
    switch (command.kind) {
      case 'ping':
        connection.write(replyFrame(command.id, 'OK', 'pong'));
        return;
      case 'route':
        if (!isRoutable(command.verb) || verbs.size >= this.#options.limits.routes) {
          connection.write(replyFrame(command.id, 'NOK', 'invalid verb, or too many routes'));
          return;
        }
        verbs.add(command.verb.toLowerCase());
        this.#routes.add(command.verb, app);
        connection.write(replyFrame(command.id, 'OK'));
        if (command.verb.toLowerCase() === 'invite') this.#options.onAppReady(app);
        return;
      case 'remove-route':
        verbs.delete(command.verb.toLowerCase());
        this.#routes.remove(command.verb, app);
        connection.write(replyFrame(command.id, 'OK'));
        return;
      case 'proxy':
        connection.write(replyFrame(command.id, 'NOK', 'proxy is not supported by this server'));
        return;
      default:
        app.execute(command);
    }
  }

  async #close(): Promise<void> {
    for (const connection of [...this.#connections]) connection.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

/** Methods, and the `cdr:start` kind, which is taken and never served. */
function isRoutable(verb: string): boolean {
  return verb.length <= 32 && verb.split(':').every(isToken);
}
