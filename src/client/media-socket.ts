// One stream's pair of UDP sockets, RTP and RTCP, aimed at the answered ports.
import { createSocket, type Socket } from 'node:dgram';
import { closeOnce } from '../lib/close.ts';
import type { PacketSink } from './rtp-sender.ts';

export interface MediaDestination {
  host: string;
  rtpPort: number;
  rtcpPort: number;
}

export class MediaSocket implements PacketSink {
  /** Sends that failed, and ICMP errors that came back. Sending goes on regardless. */
  sendErrors = 0;
  readonly close: () => Promise<void>;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #onSent = (error: Error | null): void => {
    if (error) this.sendErrors++;
  };
  #aimedAt: MediaDestination | null = null;

  /** Binds a free port for RTP, and the one above for RTCP if that is free too, else any. Rejects when the address is not ours. */
  static async open(localHost: string): Promise<MediaSocket> {
    const rtp = await bind(localHost, 0);
    try {
      const rtcp = await bind(localHost, rtp.address().port + 1).catch(() => bind(localHost, 0));
      return new MediaSocket(rtp, rtcp);
    } catch (error) {
      rtp.close();
      throw error;
    }
  }

  private constructor(rtp: Socket, rtcp: Socket) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    for (const socket of [rtp, rtcp]) {
      socket.on('error', () => this.sendErrors++);
      // Nobody has anything to say to a sender; unread datagrams would fill the kernel's buffer.
      socket.on('message', () => {});
    }
    this.close = closeOnce(async () => {
      this.#aimedAt = null;
      await Promise.all([rtp, rtcp].map((socket) => new Promise<void>((done) => socket.close(() => done()))));
    });
  }

  get port(): number {
    return this.#rtp.address().port;
  }

  get destination(): MediaDestination | null {
    return this.#aimedAt;
  }

  /** Connects both sockets, as rtpproxy does; a name is resolved here, once. */
  async aim(destination: MediaDestination): Promise<void> {
    const { host, rtpPort, rtcpPort } = destination;
    if (this.#aimedAt) for (const socket of [this.#rtp, this.#rtcp]) socket.disconnect();
    this.#aimedAt = null;
    await Promise.all([connect(this.#rtp, host, rtpPort), connect(this.#rtcp, host, rtcpPort)]);
    this.#aimedAt = destination;
  }

  sendRtp(packet: Uint8Array): void {
    if (this.#aimedAt) this.#rtp.send(packet, this.#onSent);
  }

  sendRtcp(packet: Uint8Array): void {
    if (this.#aimedAt) this.#rtcp.send(packet, this.#onSent);
  }
}

function bind(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port, address: host, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function connect(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, host, (error?: Error | null) => (error ? reject(error) : resolve()));
  });
}
