import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { addToTag, createRequest, createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';
import { TransactionLayer, type TransactionLayerOptions } from '../../../src/sip-server/transaction/layer.ts';
import type { ServerTransaction } from '../../../src/sip-server/transaction/transaction.ts';
import { FakeFlow, FakeTransports, settle, WatchedClock } from '../support/fakes.ts';
import { fixture, parsed, type RequestParts, request, requestBytes } from '../support/messages.ts';

const TARGET = { transport: 'udp', host: '127.0.0.1', port: 5080 } as const;

function start(options: Partial<TransactionLayerOptions> = {}) {
  const clock = new WatchedClock();
  const flow = new FakeFlow();
  const transports = new FakeTransports(flow);
  const told: string[] = [];
  const offered: ServerTransaction[] = [];
  const layer = new TransactionLayer({
    transports,
    clock,
    log: silentLog,
    user: {
      onRequest: (server) => {
        offered.push(server);
        told.push(`request ${server.method}`);
      },
      onCancel: (invite, cancel) => told.push(`cancel ${offered.indexOf(invite)} ${cancel.method}`),
      onAck: (ack) => told.push(`ack ${ack.callId}`),
      onStrayResponse: (response) => told.push(`stray ${response.statusCode}`),
    },
    ...options,
  });
  const receive = (parts: RequestParts) => layer.receive(request(parts), flow);
  const respond = async (index: number, statusCode: number) => {
    const response = createResponse(offered[index]!.request, statusCode, 'x');
    addToTag(response, offered[index]!.toTag);
    await offered[index]!.respond(response);
  };
  return { layer, clock, flow, transports, told, offered, receive, respond };
}

describe('requests', () => {
  test('a new one is offered once, and answered with 100 if it is an INVITE that comes again', async () => {
    const { layer, flow, told, offered, receive } = start();
    receive({});
    receive({});
    receive({ method: 'OPTIONS', branch: 'z9hG4bK-2', callId: 'call-2' });
    receive({ method: 'OPTIONS', branch: 'z9hG4bK-2', callId: 'call-2' });
    expect(told).toEqual(['request INVITE', 'request OPTIONS']);
    expect(flow.take()).toEqual(['100']);
    expect([layer.serverTransactions, layer.counters.retransmissions]).toEqual([2, 2]);
    expect(offered[0]).toMatchObject({ method: 'INVITE', state: 'proceeding', flow });
    expect(offered[0]!.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(offered[0]!.id).not.toBe(offered[1]!.id);
  });

  test('when its timers have run out it is forgotten, and its key is free again', async () => {
    const { layer, clock, told, offered, receive, respond } = start();
    receive({});
    offered[0]!.onTerminated = () => told.push('terminated');
    await respond(0, 486);
    clock.advance(32_000);
    expect([layer.serverTransactions, clock.pendingTimers, told.at(-1)]).toEqual([0, 0, 'terminated']);
    receive({});
    expect(told.at(-1)).toBe('request INVITE');
  });

  test('a merged request gets 482, one in a dialog does not', () => {
    const { layer, flow, told, receive } = start();
    receive({});
    receive({ branch: 'z9hG4bK-other' });
    receive({ branch: 'z9hG4bK-other', method: 'ACK' });
    receive({ branch: 'z9hG4bK-3', toTag: 't' });
    expect(flow.take()).toEqual(['482']);
    expect(told).toEqual(['request INVITE', 'ack call-1', 'request INVITE']);
    expect(layer.counters.merged).toBe(1);
  });

  test('an INVITE that was refused may come again by another way', async () => {
    const { clock, flow, told, receive, respond } = start();
    receive({});
    await respond(0, 503);
    receive({ branch: 'z9hG4bK-second' });
    receive({ branch: 'z9hG4bK-third' });
    expect([flow.take(), told]).toEqual([
      ['503', '482'],
      ['request INVITE', 'request INVITE'],
    ]);
    // The end of the first is not the end of the second.
    clock.advance(32_000);
    flow.take();
    receive({ branch: 'z9hG4bK-fourth' });
    expect(flow.take()).toEqual(['482']);
  });

  test('beyond the limit new requests get 503 without a transaction, and the same tag for every copy', () => {
    const { layer, flow, told, receive } = start({ limits: { serverTransactions: 1 } });
    receive({});
    receive({ branch: 'z9hG4bK-2', callId: 'call-2' });
    receive({ branch: 'z9hG4bK-2', callId: 'call-2' });
    receive({ branch: 'z9hG4bK-3', callId: 'call-3' });
    const refusals = [...flow.sent];
    expect(flow.take()).toEqual(['503', '503', '503']);
    expect(refusals.map((refusal) => refusal.header('Retry-After'))).toEqual(['5', '5', '5']);
    expect(refusals[0]!.toTag).toBe(refusals[1]!.toTag);
    expect(refusals[0]!.toTag).not.toBe(refusals[2]!.toTag);
    expect([layer.serverTransactions, layer.counters.refused, told]).toEqual([1, 3, ['request INVITE']]);
  });

  test('beyond the limit of body bytes too, until transactions end', async () => {
    const { clock, flow, told, receive, respond } = start({ limits: { bodyBytes: 10 } });
    receive({ body: '123456' });
    receive({ branch: 'z9hG4bK-2', callId: 'call-2', body: '12345' });
    receive({ branch: 'z9hG4bK-3', callId: 'call-3', body: '1234' });
    expect([flow.take(), told.length]).toEqual([['503'], 2]);
    await respond(0, 200);
    clock.advance(32_000);
    receive({ branch: 'z9hG4bK-4', callId: 'call-4', body: '123456' });
    expect(told.length).toBe(3);
  });

  test('a user that throws leaves the peer with a 500', async () => {
    const user = {
      onRequest: () => {
        throw new Error('user');
      },
      onCancel: () => {},
      onAck: () => {
        throw new Error('user');
      },
      onStrayResponse: () => {
        throw new Error('user');
      },
    };
    const { layer, flow, receive } = start({ user });
    receive({});
    receive({ method: 'ACK', branch: 'z9hG4bK-ack' });
    layer.receive(createResponse(request({ branch: 'z9hG4bK-9' }), 200, 'OK'), flow);
    expect(flow.take()).toEqual(['500']);
  });
});

describe('ACK', () => {
  test('for a non-2xx is absorbed, for a 2xx is the user\u2019s', async () => {
    const { told, offered, receive, respond } = start();
    receive({});
    receive({ branch: 'z9hG4bK-2', callId: 'call-2' });
    await respond(0, 486);
    await respond(1, 200);
    receive({ method: 'ACK' });
    receive({ method: 'ACK', branch: 'z9hG4bK-new', callId: 'call-2' });
    receive({ method: 'ACK', branch: 'z9hG4bK-2', callId: 'call-2' });
    expect(told).toEqual(['request INVITE', 'request INVITE', 'ack call-2', 'ack call-2']);
    expect(offered.map(({ state }) => state)).toEqual(['confirmed', 'accepted']);
  });

  test('of OpenSIPS for a 503 is absorbed', async () => {
    const { layer, flow, told, offered } = start();
    const ack = parsed(fixture('opensips-ack-for-503'));
    const invite = parsed(
      Buffer.from(
        fixture('opensips-ack-for-503')
          .toString()
          .replace(/^ACK/, 'INVITE')
          .replace('2 ACK', '2 INVITE')
          .replace(';tag=016e7f11', ''),
      ),
    );
    layer.receive(invite, flow);
    const response = createResponse(invite, 503, 'x');
    addToTag(response, '016e7f11');
    await offered[0]!.respond(response);
    layer.receive(ack, flow);
    expect([offered[0]!.state, told]).toEqual(['confirmed', ['request INVITE']]);
  });

  test('by RFC 2543 rules must have the To tag of the response', async () => {
    const via = 'SIP/2.0/UDP 127.0.0.1:5080';
    const { told, offered, receive, respond } = start();
    receive({ via });
    await respond(0, 486);
    receive({ via, method: 'ACK', toTag: 'other' });
    expect([offered[0]!.state, told.at(-1)]).toEqual(['completed', 'ack call-1']);
    receive({ via, method: 'ACK', toTag: offered[0]!.toTag });
    expect(offered[0]!.state).toBe('confirmed');
  });
});

describe('CANCEL', () => {
  test('is answered 200 with the tag of the INVITE\u2019s answers, and told to the user', async () => {
    const { layer, flow, told, offered, receive, respond } = start();
    receive({});
    await respond(0, 180);
    flow.take();
    receive({ method: 'CANCEL' });
    receive({ method: 'CANCEL' });
    const tags = flow.sent.map((message) => message.toTag);
    expect(flow.take()).toEqual(['200 to CANCEL', '200 to CANCEL']);
    expect(tags).toEqual([offered[0]!.toTag, offered[0]!.toTag]);
    expect(told).toEqual(['request INVITE', 'cancel 0 CANCEL']);
    await respond(0, 487);
    expect([flow.take(), layer.serverTransactions]).toEqual([['487'], 2]);
  });

  test('after a final answer changes nothing', async () => {
    const { flow, told, receive, respond } = start();
    receive({});
    await respond(0, 200);
    receive({ method: 'CANCEL' });
    expect([flow.take(), told]).toEqual([['200', '200 to CANCEL'], ['request INVITE']]);
  });

  test('that matches nothing is offered like any request', async () => {
    const { flow, told, receive, respond } = start();
    receive({ method: 'CANCEL' });
    await respond(0, 481);
    expect([flow.take(), told]).toEqual([['481 to CANCEL'], ['request CANCEL']]);
  });
});

describe('malformed requests', () => {
  test.each([
    ['Content-Length too large', (text: string) => text.replace('Length: 0', 'Length: 5'), ['400']],
    ['two Call-IDs', (text: string) => text.replace('CSeq', 'Call-ID: 2\r\nCSeq'), ['400']],
    ['version 3.0', (text: string) => text.replace('SIP/2.0\r\n', 'SIP/3.0\r\n'), ['505']],
    ['300 headers', (text: string) => text.replace('Content', `${'X: y\r\n'.repeat(300)}Content`), ['513']],
    ['a body of gigabytes', (text: string) => text.replace('Length: 0', 'Length: 5000000000'), ['413']],
    ['an ACK', (text: string) => text.replace('INVITE', 'ACK').replace('Length: 0', 'Length: 5'), []],
    ['no Via', (text: string) => text.replace(/Via.*\r\n/, ''), []],
    ['noise', () => 'noise', []],
  ])('%s', (_, change, expected) => {
    const { layer, flow, told } = start();
    const result = parseMessage(Buffer.from(change(requestBytes().toString())));
    if (!('malformed' in result)) throw new Error('not malformed');
    layer.receiveMalformed(result, flow);
    expect([flow.take(), told, layer.counters.malformed, layer.serverTransactions]).toEqual([expected, [], 1, 0]);
  });
});

describe('client transactions', () => {
  function ask(method: string, extra: Record<string, string> = {}): SipMessage {
    const message = createRequest(method, 'sip:peer@127.0.0.1:5080');
    const headers = { From: '<sip:us>;tag=1', To: '<sip:peer>', 'Call-ID': 'c', CSeq: `1 ${method}`, ...extra };
    for (const [name, value] of Object.entries(headers)) message.append(name, value);
    return message;
  }

  function listen(told: string[]) {
    return {
      onSent: (sent: SipMessage) => told.push(`sent ${sent.method}`),
      onResponse: (response: SipMessage) => told.push(`${response.statusCode}`),
      onTimeout: () => told.push('timeout'),
      onTransportError: (error: Error & { code?: string }) => told.push(`error ${error.code}`),
      onTerminated: () => told.push('terminated'),
    };
  }

  test('the Via is added to a copy, with our address, a new branch and rport; responses find their way', async () => {
    const { layer, clock, flow } = start();
    const told: string[] = [];
    const message = ask('OPTIONS');
    const client = layer.request(message, TARGET, listen(told));
    expect([client.state, client.method, layer.clientTransactions]).toEqual(['opening', 'OPTIONS', 1]);
    await settle();
    expect(message.header('Via')).toBeUndefined();
    expect(flow.sent[0]!.header('Via')).toMatch(/^SIP\/2\.0\/UDP 127\.0\.0\.1:5060;branch=z9hG4bK[0-9a-f]{24};rport$/);
    expect(client.request.toBytes()).toEqual(flow.sent[0]!.toBytes());
    layer.receive(createResponse(flow.sent[0]!, 100, 'Trying'), flow);
    layer.receive(createResponse(flow.sent[0]!, 200, 'OK'), flow);
    layer.receive(createResponse(flow.sent[0]!, 200, 'OK'), flow);
    clock.advance(5_000);
    expect([told, layer.clientTransactions, clock.pendingTimers]).toEqual([
      ['sent OPTIONS', '100', '200', 'terminated'],
      0,
      0,
    ]);
  });

  test('two requests at the same time do not get each other\u2019s answers', async () => {
    const { layer, flow } = start();
    const [one, two]: string[][] = [[], []];
    layer.request(ask('OPTIONS'), TARGET, listen(one!));
    layer.request(ask('OPTIONS'), TARGET, listen(two!));
    await settle();
    layer.receive(createResponse(flow.sent[1]!, 404, 'x'), flow);
    expect([one, two]).toEqual([['sent OPTIONS'], ['sent OPTIONS', '404']]);
  });

  test('forked and repeated 2xx are all reported; later ones are stray', async () => {
    const { layer, clock, flow, told: user } = start();
    const told: string[] = [];
    layer.request(ask('INVITE'), TARGET, listen(told));
    await settle();
    const invite = flow.sent[0]!;
    const ok = (tag: string) => {
      const response = createResponse(invite, 200, 'OK');
      addToTag(response, tag);
      layer.receive(response, flow);
    };
    for (const tag of ['a', 'a', 'b']) ok(tag);
    clock.advance(32_000);
    ok('c');
    expect([told, user]).toEqual([['sent INVITE', '200', '200', '200', 'terminated'], ['stray 200']]);
  });

  test('a CANCEL goes the way of its INVITE, is repeated, and its answers are nobody\u2019s business', async () => {
    const { layer, clock, flow, told: user } = start();
    const told: string[] = [];
    const client = layer.request(ask('INVITE', { Route: '<sip:r;lr>' }), TARGET, listen(told));
    await settle();
    const invite = flow.sent[0]!;
    layer.receive(createResponse(invite, 180, 'Ringing'), flow);
    const cancel = await client.cancel([{ name: 'Reason', value: 'SIP;cause=200' }]);
    expect(cancel!.toText()).toBe(
      invite
        .toText()
        .replace('INVITE sip', 'CANCEL sip')
        .replace('1 INVITE', '1 CANCEL\r\nReason: SIP;cause=200')
        .replace('Route: <sip:r;lr>\r\n', '')
        .replace('From', 'Route: <sip:r;lr>\r\nMax-Forwards: 70\r\nFrom'),
    );
    expect(layer.clientTransactions).toBe(2);
    clock.advance(500);
    await settle();
    expect(flow.take()).toEqual(['INVITE', 'CANCEL', 'CANCEL']);
    layer.receive(createResponse(cancel!, 200, 'OK'), flow);
    layer.receive(createResponse(invite, 487, 'Request Terminated'), flow);
    clock.advance(32_000);
    expect([told, user, flow.take()]).toEqual([['sent INVITE', '180', '487', 'terminated'], [], ['ACK']]);
    expect([layer.clientTransactions, clock.pendingTimers]).toEqual([0, 0]);
  });

  test('no flow, no room and no sendable message are transport errors, never in the call itself', async () => {
    const { layer, transports } = start({ limits: { clientTransactions: 1 } });
    const results: string[][] = [];
    const attempt = (message: SipMessage) => {
      const told: string[] = [];
      results.push(told);
      layer.request(message, TARGET, listen(told));
      expect(told).toEqual([]);
    };
    attempt(ask('OPTIONS'));
    attempt(ask('OPTIONS'));
    await settle();
    expect(results).toEqual([['sent OPTIONS'], ['error TOO_MANY_TRANSACTIONS', 'terminated']]);
    layer.close();
    attempt(ask('OPTIONS'));
    await settle();
    expect(results[2]).toEqual(['error LAYER_CLOSED', 'terminated']);

    const other = start();
    other.transports.next = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    for (const message of [
      ask('OPTIONS'),
      ask('ACK'),
      ask('OPTIONS', { CSeq: '1 BYE' }),
      createRequest('OPTIONS', 'sip:x'),
    ]) {
      const told: string[] = [];
      other.layer.request(message, TARGET, listen(told));
      await settle();
      results.push(told);
    }
    expect(results.slice(3).map(([first]) => first)).toEqual([
      'error ECONNREFUSED',
      'error NOT_SENDABLE',
      'error NOT_SENDABLE',
      'error NOT_SENDABLE',
    ]);
    expect([other.layer.clientTransactions, transports.targets.length]).toEqual([0, 1]);
  });

  test('over a connection that breaks on sending another one is tried, without the old flow', async () => {
    const { layer, transports } = start();
    const broken = new FakeFlow('tcp');
    const fresh = new FakeFlow('tcp');
    broken.failure = Object.assign(new Error('x'), { code: 'ECONNRESET' });
    transports.next = fresh;
    const told: string[] = [];
    layer.request(ask('BYE'), { transport: 'tcp', host: 'h', port: 5060, flow: broken }, listen(told));
    await settle();
    await settle();
    expect([fresh.take(), told]).toEqual([['BYE'], ['sent BYE']]);
    expect(transports.targets[1]).toEqual({ transport: 'tcp', host: 'h', port: 5060 });
  });

  test('a user that throws does not stop the machine', async () => {
    const { layer, clock, flow } = start();
    const fail = () => {
      throw new Error('user');
    };
    layer.request(ask('OPTIONS'), TARGET, {
      onSent: fail,
      onResponse: fail,
      onTimeout: fail,
      onTransportError: fail,
      onTerminated: fail,
    });
    await settle();
    layer.receive(createResponse(flow.sent[0]!, 200, 'OK'), flow);
    clock.advance(5_000);
    expect(layer.clientTransactions).toBe(0);
  });

  test('send() sends once, with a Via, and says what it sent', async () => {
    const { layer, clock, flow } = start();
    const { message, flow: used } = await layer.send(ask('ACK'), TARGET);
    clock.advance(60_000);
    expect([flow.sent.length, used]).toEqual([1, flow]);
    expect(flow.sent[0]!.toBytes()).toEqual(message.toBytes());
    expect(message.topVia?.branch).toMatch(/^z9hG4bK/);
    flow.failure = new Error('no');
    await expect(layer.send(ask('ACK'), TARGET)).rejects.toThrow('no');
  });
});

test('close forgets everything, tells everyone, sends nothing, and what comes later is ignored', async () => {
  const { layer, clock, flow, told, offered, receive } = start();
  receive({});
  receive({ method: 'OPTIONS', branch: 'z9hG4bK-2', callId: 'call-2' });
  for (const server of offered) server.onTerminated = () => told.push('terminated');
  const message = request({ method: 'OPTIONS' }).clone();
  message.remove('Via');
  const events = {
    onResponse() {},
    onTimeout() {},
    onTransportError() {},
    onTerminated: () => told.push('client gone'),
  };
  layer.request(message, TARGET, events);
  await settle();
  layer.request(message, TARGET, events);
  flow.take();
  told.length = 0;
  layer.close();
  layer.close();
  await settle();
  expect(told).toEqual(['terminated', 'terminated', 'client gone', 'client gone']);
  expect([layer.serverTransactions, layer.clientTransactions, clock.pendingTimers]).toEqual([0, 0, 0]);
  receive({ branch: 'z9hG4bK-3', callId: 'call-3' });
  expect(flow.take()).toEqual([]);
  await expect(offered[0]!.respond(createResponse(offered[0]!.request, 200, 'OK'))).rejects.toMatchObject({
    code: 'TRANSACTION_OVER',
  });
  await expect(layer.send(message, TARGET)).rejects.toMatchObject({ code: 'LAYER_CLOSED' });
});
