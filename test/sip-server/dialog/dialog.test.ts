// A dialog by itself: made from messages or from saved state, numbering, routing, targets.
import { describe, expect, test } from 'vitest';
import { targetOf, uriOf } from '../../../src/sip-server/dialog/contact.ts';
import { Dialog } from '../../../src/sip-server/dialog/dialog.ts';
import { route, routeSetOfCallee, routeSetOfCaller } from '../../../src/sip-server/dialog/route-set.ts';
import { calleeDialogState, callerDialogState, type DialogState } from '../../../src/sip-server/dialog/state.ts';
import { targetForUri } from '../../../src/sip-server/dialog/target.ts';
import { addToTag, createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import type { Flow } from '../../../src/sip-server/transport/flow.ts';
import { fixture, parsed, request } from '../support/messages.ts';

function flow(transport: 'udp' | 'tcp', port = 5080): Flow {
  return {
    transport,
    reliable: transport === 'tcp',
    local: { host: '127.0.0.1', port: 5060 },
    remote: { host: '127.0.0.1', port },
    closed: false,
    send: () => Promise.resolve(),
  };
}

function accepted(invite: SipMessage): SipMessage {
  const response = createResponse(invite, 200, 'OK');
  addToTag(response, 'our-tag');
  response.append('Contact', '<sip:127.0.0.1:5090>');
  return response;
}

const CALLEE: DialogState = {
  version: 1,
  id: 'call-1;from-tag=from-1',
  role: 'uas',
  usage: 'INVITE',
  phase: 'confirmed',
  callId: 'call-1',
  localTag: 'our-tag',
  remoteTag: 'from-1',
  localAddress: '<sip:srs@127.0.0.1>;tag=our-tag',
  remoteAddress: '<sip:src@127.0.0.1>;tag=from-1',
  localSequence: null,
  remoteSequence: 7,
  remoteTarget: 'sip:src@192.0.2.9:5070',
  routeSet: ['<sip:192.0.2.1;lr>', '<sip:192.0.2.2;lr>'],
  localContact: '<sip:127.0.0.1:5090>',
  transport: 'udp',
  peer: { host: '127.0.0.1', port: 5080 },
};

const extra = 'Contact: <sip:src@192.0.2.9:5070>\nRecord-Route: <sip:192.0.2.1;lr>\nRecord-Route: <sip:192.0.2.2;lr>\n';

describe('state', () => {
  test('of the callee', () => {
    const invite = request({ cseq: 7, extra });
    expect(calleeDialogState(invite, accepted(invite), flow('udp'))).toEqual(CALLEE);
  });

  test('of the caller: tags the other way round, the route set in reverse', () => {
    const invite = request({ cseq: 7, extra: 'Contact: <sip:me@127.0.0.1>\n' });
    const ok = accepted(invite);
    ok.append('Record-Route', '<sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>');
    expect(callerDialogState(invite, ok, flow('tcp'))).toEqual({
      ...CALLEE,
      role: 'uac',
      localTag: 'from-1',
      remoteTag: 'our-tag',
      localAddress: '<sip:src@127.0.0.1>;tag=from-1',
      remoteAddress: '<sip:srs@127.0.0.1>;tag=our-tag',
      localSequence: 7,
      remoteSequence: null,
      remoteTarget: 'sip:127.0.0.1:5090',
      routeSet: ['<sip:192.0.2.2;lr>', '<sip:192.0.2.1;lr>'],
      localContact: '<sip:me@127.0.0.1>',
      transport: 'tcp',
    });
  });

  test('of a captured INVITE of OpenSIPS over TCP', () => {
    const invite = parsed(fixture('opensips-tcp-invite'));
    const state = calleeDialogState(invite, accepted(invite), flow('tcp', 47491));
    expect(state).toMatchObject({
      id: 'B2B.328.7103753.1795222862.1764522376;from-tag=ab2e4deb2f5af46de669906f587b81e1-ce21',
      remoteSequence: 2,
      remoteTarget: 'sip:127.0.40.1:5060;transport=tcp',
      routeSet: [],
      peer: { host: '127.0.0.1', port: 47491 },
    });
  });

  test('outlives JSON, and a dialog goes on from it', () => {
    const dialog = new Dialog(JSON.parse(JSON.stringify(CALLEE)));
    const first = dialog.createRequest('INFO');
    const second = new Dialog(JSON.parse(JSON.stringify(dialog.snapshot()))).createRequest('BYE');
    expect(second.cseq).toEqual({ number: first.cseq!.number + 1, method: 'BYE' });
    expect(second.toText().replace(/CSeq: \d+/, 'CSeq: n')).toBe(
      [
        'BYE sip:src@192.0.2.9:5070 SIP/2.0',
        'Route: <sip:192.0.2.1;lr>',
        'Route: <sip:192.0.2.2;lr>',
        'Max-Forwards: 70',
        'From: <sip:srs@127.0.0.1>;tag=our-tag',
        'To: <sip:src@127.0.0.1>;tag=from-1',
        'Call-ID: call-1',
        'CSeq: n BYE',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
  });

  test('given out is a copy', () => {
    const dialog = new Dialog(CALLEE);
    dialog.snapshot().routeSet.push('x');
    dialog.snapshot().peer.port = 1;
    expect(dialog.snapshot()).toEqual(CALLEE);
  });
});

describe('requests of the peer', () => {
  test.each([
    ['INFO', 8, true, 8],
    ['INFO', 7, true, 7],
    ['INFO', 6, false, 7],
    ['BYE', 6, true, 7],
  ])('%s with CSeq %i', (method, cseq, isAccepted, last) => {
    const dialog = new Dialog(CALLEE);
    expect(dialog.acceptRequest(request({ method, cseq }), flow('tcp', 1234))).toBe(isAccepted);
    expect(dialog.state.remoteSequence).toBe(last);
    expect(dialog.state.peer.port).toBe(isAccepted ? 1234 : 5080);
  });

  test.each([
    ['INVITE', '<sip:new@192.0.2.10>', 'sip:new@192.0.2.10'],
    ['UPDATE', '"x" <sip:new@192.0.2.10>;+sip.src', 'sip:new@192.0.2.10'],
    ['INFO', '<sip:new@192.0.2.10>', CALLEE.remoteTarget],
    ['INVITE', '<<sip:127.0.40.1:5060>;+sip.src>', CALLEE.remoteTarget],
    ['INVITE', '*', CALLEE.remoteTarget],
    ['INVITE', '<tel:+123>', CALLEE.remoteTarget],
    ['INVITE', '', CALLEE.remoteTarget],
  ])('%s with Contact: %s', (method, contact, target) => {
    const dialog = new Dialog(CALLEE);
    dialog.refreshTarget(method, request({ method, extra: `Contact: ${contact}\n` }));
    expect(dialog.state.remoteTarget).toBe(target);
  });
});

describe('the next hop', () => {
  const direct: DialogState = { ...CALLEE, routeSet: [], remoteTarget: 'sip:src@127.0.0.1:5080' };

  test('is the first route, else the target', () => {
    expect(new Dialog(CALLEE).nextTarget()).toEqual({ transport: 'udp', host: '192.0.2.1', port: 5060 });
    expect(new Dialog(direct).nextTarget()).toEqual({ transport: 'udp', host: '127.0.0.1', port: 5080 });
  });

  test('keeps the transport that the peer used if its URI names none', () => {
    const dialog = new Dialog(direct);
    dialog.noteFlow(flow('tcp', 9));
    expect(dialog.nextTarget()).toMatchObject({ transport: 'tcp', host: '127.0.0.1', port: 5080 });
  });

  test('takes the connection of the last request while it is open', () => {
    const connection = { ...flow('tcp', 9), closed: false };
    const dialog = new Dialog({ ...direct, remoteTarget: 'sip:src@192.0.2.9;transport=tcp' }, connection);
    expect(dialog.nextTarget()?.flow).toBe(connection);
    connection.closed = true;
    expect(dialog.nextTarget()).toEqual({ transport: 'tcp', host: '192.0.2.9', port: 5060 });
  });

  test('takes a UDP flow only to the same address, another transport never', () => {
    const udp = flow('udp');
    expect(new Dialog(direct, udp).nextTarget()?.flow).toBe(udp);
    expect(new Dialog(direct, flow('udp', 9)).nextTarget()?.flow).toBeUndefined();
    expect(
      new Dialog({ ...direct, remoteTarget: 'sip:a@127.0.0.1:5080;transport=tcp' }, udp).nextTarget()?.flow,
    ).toBeUndefined();
  });

  test('is none for a URI that cannot be reached', () => {
    expect(new Dialog({ ...direct, remoteTarget: 'sip:a@b;transport=ws' }).nextTarget()).toBeNull();
  });
});

test.each([
  ['sip:a@192.0.2.1', { transport: 'udp', host: '192.0.2.1', port: 5060 }],
  ['<sip:a@[2001:db8::1]:5070;transport=TCP;lr>', { transport: 'tcp', host: '2001:db8::1', port: 5070 }],
  ['sips:a@example.org', { transport: 'tls', host: 'example.org', port: 5061 }],
  ['sip:a@example.org;maddr=192.0.2.7', { transport: 'udp', host: '192.0.2.7', port: 5060 }],
  ['sip:a@example.org;transport=sctp', null],
  ['tel:+123', null],
  ['', null],
])('target of %s', (uri, target) => {
  expect(targetForUri(uri)).toEqual(target);
});

test('strict and loose routes (RFC 3261 §12.2.1.1)', () => {
  expect(route([], 'sip:t')).toEqual({ requestUri: 'sip:t', routes: [], nextHop: 'sip:t' });
  expect(route(['<sip:p1;lr>', '<sip:p2>'], 'sip:t')).toEqual({
    requestUri: 'sip:t',
    routes: ['<sip:p1;lr>', '<sip:p2>'],
    nextHop: 'sip:p1;lr',
  });
  expect(route(['<sip:p1>', '<sip:p2;lr>'], 'sip:t')).toEqual({
    requestUri: 'sip:p1',
    routes: ['<sip:p2;lr>', '<sip:t>'],
    nextHop: 'sip:p1',
  });
});

test('Record-Route values without a SIP URI are left out', () => {
  const message = request({ extra: 'Record-Route: <sip:p1;lr>, <tel:1>, nonsense, <sip:p2;lr>;x\n' });
  expect(routeSetOfCallee(message)).toEqual(['<sip:p1;lr>', '<sip:p2;lr>;x']);
  expect(routeSetOfCaller(message)).toEqual(['<sip:p2;lr>;x', '<sip:p1;lr>']);
});

test('URIs for addresses, addresses in Contacts', () => {
  expect(uriOf({ host: '192.0.2.1', port: 5060 }, 'udp')).toBe('sip:192.0.2.1:5060');
  expect(uriOf({ host: '2001:db8::1', port: 5061 }, 'tcp')).toBe('sip:[2001:db8::1]:5061;transport=tcp');
  expect(targetOf(request({ extra: 'Contact: <mailto:x>, <sip:second@192.0.2.1>\n' }))).toBe('sip:second@192.0.2.1');
});
