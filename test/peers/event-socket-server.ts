// A small FreeSWITCH event socket: asks for the password, answers `api` commands from a table. Can misbehave on order.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export interface EventSocketServerOptions {
  password: string;
  /** The answer to each `api` command; without an entry: FreeSWITCH's own "command not found". */
  answer?: (command: string) => string | null;
  /** Sent in place of the authentication request. */
  greeting?: string;
  /** Octets per write, to tear answers apart. */
  chunkOctets?: number;
}

export class EventSocketServer {
  /** Every command received, without the password. */
  readonly commands: string[] = [];
  connections = 0;
  readonly #options: EventSocketServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: EventSocketServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Returns the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as { port: number }).port;
  }

  /** Sends this to everybody as it is. */
  async say(text: string): Promise<void> {
    for (const socket of this.#sockets) await this.#write(socket, text);
  }

  /** Cuts every connection. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.drop();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let input = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      input += chunk;
      for (let end = input.indexOf('\n\n'); end >= 0; end = input.indexOf('\n\n')) {
        const command = input.slice(0, end);
        input = input.slice(end + 2);
        void this.#command(socket, command);
      }
    });
    void this.#write(socket, this.#options.greeting ?? 'Content-Type: auth/request\n\n');
  }

  async #command(socket: Socket, command: string): Promise<void> {
    if (command.startsWith('auth ')) {
      const accepted = command === `auth ${this.#options.password}`;
      await this.#write(
        socket,
        `Content-Type: command/reply\nReply-Text: ${accepted ? '+OK accepted' : '-ERR invalid'}\n\n`,
      );
      if (!accepted) await this.#disconnect(socket);
      return;
    }
    this.commands.push(command);
    if (command === 'exit') {
      await this.#write(socket, 'Content-Type: command/reply\nReply-Text: +OK bye\n\n');
      await this.#disconnect(socket);
      return;
    }
    const [, api = ''] = /^api (.*)$/s.exec(command) ?? [];
    const answer = this.#options.answer ? this.#options.answer(api) : `-ERR ${api.split(' ')[0]} Command not found!\n`;
    if (answer === null) return;
    await this.#write(socket, `Content-Type: api/response\nContent-Length: ${Buffer.byteLength(answer)}\n\n${answer}`);
  }

  async #disconnect(socket: Socket): Promise<void> {
    const text = 'Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n';
    await this.#write(socket, `Content-Type: text/disconnect-notice\nContent-Length: ${text.length}\n\n${text}`);
    socket.end();
  }

  async #write(socket: Socket, text: string): Promise<void> {
    const octets = Buffer.from(text);
    const step = this.#options.chunkOctets ?? octets.length;
    for (let at = 0; at < octets.length && !socket.destroyed; at += step) {
      socket.write(octets.subarray(at, at + step));
      if (step < octets.length) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
