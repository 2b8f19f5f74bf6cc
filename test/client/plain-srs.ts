// A tiny SRS for tests: a SIP server over bare UDP or TCP sockets that answers with plain RTP sockets. No dialog checks, no timers.
import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';

export interface ReceivedPacket {
  packet: Buffer;
  fromPort: number;
  atMs: number;
}

export interface PlainSrs {
  port: number;
  /** Every request, in order. */
  requests: string[];
  /** By label: 0, 1, … */
  received: ReceivedPacket[][];
  rtpPorts: number[];
  close(): Promise<void>;
}

/**
 * Opens `streams` RTP sockets and listens for SIP. `answer` may change the SDP that a 200 to INVITE carries, `status` the
 * `200 OK` of any request; null leaves it unanswered.
 */
export async function plainSrs(
  transport: 'udp' | 'tcp',
  options: {
    streams?: number;
    answer?: (sdp: string, invite: string) => string;
    status?: (method: string) => string | null;
  } = {},
): Promise<PlainSrs> {
  const rtp = await Promise.all(Array.from({ length: options.streams ?? 2 }, udpSocket));
  const rtpPorts = rtp.map((socket) => socket.address().port);
  const received: ReceivedPacket[][] = rtp.map(() => []);
  rtp.forEach((socket, index) => {
    socket.on('message', (packet, { port }) =>
      received[index]!.push({ packet, fromPort: port, atMs: performance.now() }),
    );
  });
  const requests: string[] = [];
  const sdp = answerSdp(rtpPorts);
  const answerTo = (request: string, contact: string): string | null => {
    requests.push(request);
    const method = request.slice(0, request.indexOf(' '));
    if (method === 'ACK') return null;
    const header = (name: string) => request.split('\r\n').find((line) => line.startsWith(`${name}:`)) ?? '';
    const status = options.status ? options.status(method) : '200 OK';
    if (status === null) return null;
    const body = method === 'INVITE' && status.startsWith('200') ? (options.answer?.(sdp, request) ?? sdp) : '';
    const to = header('To');
    return [
      `SIP/2.0 ${status}`,
      header('Via'),
      header('From'),
      to.includes('tag=') ? to : `${to};tag=plain`,
      header('Call-ID'),
      header('CSeq'),
      `Contact: <${contact}>;+sip.srs`,
      ...(body ? ['Content-Type: application/sdp'] : []),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
  };
  const sip = transport === 'udp' ? await listenUdp(answerTo) : await listenTcp(answerTo);
  return {
    port: sip.port,
    requests,
    received,
    rtpPorts,
    close: async () => {
      await Promise.all([sip.close(), ...rtp.map(closeUdp)]);
    },
  };
}

export function answerSdp(rtpPorts: readonly number[]): string {
  const media = rtpPorts.flatMap((port, label) => [
    `m=audio ${port} RTP/AVP 0 101`,
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=recvonly',
    `a=label:${label}`,
  ]);
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', ...media, ''].join('\r\n');
}

type Answerer = (request: string, contact: string) => string | null;

async function listenUdp(answerTo: Answerer) {
  const socket = await udpSocket();
  const { port } = socket.address();
  socket.on('message', (message, from) => {
    const answer = answerTo(message.toString(), `sip:127.0.0.1:${port}`);
    if (answer) socket.send(answer, from.port, from.address);
  });
  return { port, close: () => closeUdp(socket) };
}

async function listenTcp(answerTo: Answerer) {
  const connections = new Set<TcpSocket>();
  const server: Server = createServer((connection) => {
    connections.add(connection);
    let pending = '';
    connection.on('error', () => {});
    connection.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      for (;;) {
        const end = pending.indexOf('\r\n\r\n');
        const length = Number(/^Content-Length:\s*(\d+)/m.exec(pending)?.[1] ?? 0);
        if (end < 0 || pending.length < end + 4 + length) return;
        const request = pending.slice(0, end + 4 + length);
        pending = pending.slice(end + 4 + length);
        const answer = answerTo(request, `sip:127.0.0.1:${port};transport=tcp`);
        if (answer) connection.write(answer);
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise<void>((done) => {
        for (const connection of connections) connection.destroy();
        server.close(() => done());
      }),
  };
}

function udpSocket(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => resolve(socket));
  });
}

function closeUdp(socket: Socket): Promise<void> {
  return new Promise((done) => socket.close(() => done()));
}
