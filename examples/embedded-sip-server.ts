// A drachtio-srf application without a drachtio-server: the SIP server runs in the same process.
// It sends every call on to another host (302 Moved Temporarily) and prints who called whom.
//
//   node --conditions=sipreel-source examples/embedded-sip-server.ts udp:127.0.0.1:5060 sip.example.com
//
// With the package installed: copy this file and run it without --conditions.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import Srf from 'drachtio-srf';
import { createSipServer } from 'sipreel/sip-server';

const [listener = 'udp:127.0.0.1:5060', target = 'sip.example.com'] = process.argv.slice(2);
const [transport, host, port] = listener.split(':');
if ((transport !== 'udp' && transport !== 'tcp') || !host)
  throw new Error('the first argument is udp:HOST:PORT or tcp:HOST:PORT');

// The application and the server talk over loopback, with a secret that nobody else knows.
const secret = randomBytes(24).toString('base64url');
const server = createSipServer({
  listeners: [{ transport, host, port: Number(port) }],
  admin: { host: '127.0.0.1', port: 0, secret },
});
const { admin, listeningPoints } = await server.start();

// From here on it is drachtio-srf as everywhere else.
const srf = new Srf();
srf.connect({ ...admin, secret });
await once(srf, 'connect');

srf.invite((req, res) => {
  const { user } = Srf.parseUri(req.uri);
  console.log(`${req.callingNumber || 'somebody'} calls ${user ?? 'nobody'}`);
  res.send(302, { headers: { Contact: `<sip:${user ? `${user}@` : ''}${target}>` } });
});
srf.use('options', (_req, res) => res.send(200));

for (const point of listeningPoints) console.log(`ready on ${point.transport}:${point.host}:${point.port}`);

process.once('SIGINT', stop);
process.once('SIGTERM', stop);

async function stop(): Promise<void> {
  srf.disconnect();
  await server.close();
}
