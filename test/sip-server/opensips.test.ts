// A call as captured from OpenSIPS 3.6.8 over TCP, with the real drachtio-srf as the app.
import { afterEach, expect, test } from 'vitest';
import { fixture } from './support/messages.ts';
import { TcpPeer } from './support/peer.ts';
import { event, later, type SrfDialog, type SrfMessage, type SrfRequest, type SrfResponse } from './support/srf.ts';
import { ANSWER, FAST, type Stack, startStack, untilIdle } from './support/stack.ts';

let stack: Stack;

afterEach(() => stack.close());

const CALL_ID = 'B2B.328.7103753.1795222862.1764522376';

async function call() {
  const heard = later<SrfRequest>();
  const dialog = later<SrfDialog>();
  stack = await startStack(
    (srf) => {
      srf.invite((req, res) => {
        heard.resolve(req);
        srf
          .createUAS(req, res, { localSdp: ANSWER, headers: { Contact: '<sip:sipreel@localhost>;+sip.srs' } })
          .then(dialog.resolve, dialog.reject);
      });
    },
    { timers: FAST },
  );
  const peer = await TcpPeer.open(stack.tcpPort);
  peer.send(fixture('opensips-tcp-invite'));
  const ok = await peer.next(200);
  const inside = (method: string, cseq: number) =>
    [
      `${method} sip:dumpsrs@127.0.0.1:5090;transport=tcp SIP/2.0`,
      `Via: SIP/2.0/TCP 127.0.40.1:5060;branch=z9hG4bK8d55.1482906.${cseq}`,
      `To: ${ok.header('To')}`,
      `From: ${ok.header('From')}`,
      `CSeq: ${cseq} ${method}`,
      `Call-ID: ${CALL_ID}`,
      'Max-Forwards: 70',
      'Content-Length: 0',
      'User-Agent: OpenSIPS (3.6.8 (x86_64/linux))',
      'Contact: <sip:127.0.40.1:5060;transport=tcp>;+sip.src',
      '',
      '',
    ].join('\r\n');
  peer.send(inside('ACK', 2));
  return { peer, ok, inside, heard: await heard.promise, dialog: await dialog.promise };
}

test('the offer with its metadata arrives byte for byte; the answer names our address', async () => {
  const { peer, ok, inside, heard, dialog } = await call();
  const invite = fixture('opensips-tcp-invite').toString();
  expect(heard.body).toBe(invite.slice(invite.indexOf('\r\n\r\n') + 4));
  expect(heard.get('Require')).toBe('siprec');
  expect(ok.header('Contact')).toBe(`<sip:sipreel@127.0.0.1:${stack.tcpPort};transport=tcp>;+sip.srs`);
  const destroyed = event(dialog, 'destroy');
  peer.send(inside('BYE', 3));
  await destroyed;
  expect((await peer.next(200)).header('CSeq')).toBe('3 BYE');
  await untilIdle(stack.server);
  await peer.close();
});

test('its 405 to our BYE, with a broken Contact, ends the dialog', async () => {
  const { peer, dialog } = await call();
  const done = dialog.destroy();
  const bye = await peer.next('BYE');
  // The Contact leads to 127.0.40.1, but the connection is open.
  expect(bye.requestUri).toBe('sip:127.0.40.1:5060;transport=tcp');
  peer.answer(bye, 405, 'Method not Allowed', { Contact: '<<sip:127.0.40.1:5060;transport=tcp>;+sip.src>' });
  await done;
  await untilIdle(stack.server);
  await peer.close();
});

test('a broken Contact in an answer changes nothing, also before a new connection is needed', async () => {
  const { peer, inside, dialog } = await call();
  const updated = dialog.request({ method: 'UPDATE' });
  peer.answer(await peer.next('UPDATE'), 200, 'OK', { Contact: '<<sip:192.0.2.99:5060;transport=tcp>;+sip.src>' });
  expect((await updated).status).toBe(200);
  const second = await TcpPeer.open(stack.tcpPort);
  await peer.close();
  const modified = later<SrfMessage>();
  dialog.on('modify', (req: SrfRequest, res: SrfResponse) => {
    modified.resolve(req);
    res.send(200, { body: ANSWER });
  });
  second.send(inside('INVITE', 3));
  await second.next(200);
  second.send(inside('ACK', 3));
  await modified.promise;
  const done = dialog.destroy();
  const bye = await second.next('BYE');
  expect(bye.requestUri).toBe('sip:127.0.40.1:5060;transport=tcp');
  second.answer(bye, 200, 'OK');
  await done;
  await untilIdle(stack.server);
  await second.close();
});
