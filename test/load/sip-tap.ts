// Stands between SIPp and the recorder: passes every octet on, over TLS if wanted (Debian's SIPp has none), and hears each message.
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DEFAULT_MESSAGE_LIMITS } from '../../src/sip-server/message/parse.ts';
import { StreamFramer } from '../../src/sip-server/transport/stream-framer.ts';

export interface SipTap {
  port: number;
  close(): void;
}

/** `heard` is called before the octets go on, so that what follows from a message is never late. */
export async function tapSip(
  sipPort: number,
  transport: 'tcp' | 'tls',
  heard: (message: string) => void,
): Promise<SipTap> {
  const server = createServer((near) => {
    const target = { host: '127.0.0.1', port: sipPort };
    // Who the recorder is does not matter here; test/flow/tls.test.ts checks certificates.
    const far = transport === 'tls' ? connectTls({ ...target, rejectUnauthorized: false }) : connectTcp(target);
    passOn(near, far, heard);
    passOn(far, near, heard);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}

function passOn(from: Socket, to: Socket, heard: (message: string) => void): void {
  const framer = new StreamFramer(DEFAULT_MESSAGE_LIMITS);
  from.on('data', (chunk) => {
    framer.push(chunk);
    for (let frame = framer.next(); frame; frame = framer.next()) {
      if (frame.kind === 'message') heard(frame.bytes.toString('latin1'));
    }
    to.write(chunk);
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
}
