// The small parts: turns, held frames, the time of day, the secret.
import { describe, expect, test } from 'vitest';
import { timeOfDay } from '../../../src/sip-server/drachtio/metadata.ts';
import { Outbox } from '../../../src/sip-server/drachtio/outbox.ts';
import { RouteTable } from '../../../src/sip-server/drachtio/routes.ts';
import { secretsMatch } from '../../../src/sip-server/drachtio/secret.ts';

test('time of day with microseconds, in UTC', () => {
  expect(timeOfDay(Date.UTC(2026, 10, 21, 0, 8, 49, 921) + 0.134)).toBe('00:08:49.921134');
  expect(timeOfDay(Date.UTC(2026, 0, 1))).toBe('00:00:00.000000');
});

test.each([
  ['cymru', 'cymru', true],
  ['cymru', 'cymrU', false],
  ['', 'cymru', false],
  ['cymru', '', false],
  ['jürgen', 'jürgen', true],
])('secrets %j and %j', (offered, expected, same) => {
  expect(secretsMatch(offered, expected)).toBe(same);
});

test('routes: in turn, without regard to case, one turn per app, gone with the app', () => {
  const routes = new RouteTable<string>();
  routes.add('INVITE', 'a');
  routes.add('invite', 'b');
  routes.add('invite', 'a');
  routes.add('options', 'a');
  expect([1, 2, 3, 4].map(() => routes.next('Invite'))).toEqual(['a', 'b', 'a', 'b']);
  expect(routes.methods()).toEqual(['INVITE', 'OPTIONS']);
  routes.remove('invite', 'a');
  expect([1, 2].map(() => routes.next('INVITE'))).toEqual(['b', 'b']);
  routes.removeApp('b');
  expect([routes.next('INVITE'), routes.next('OPTIONS'), routes.next('constructor')]).toEqual([
    undefined,
    'a',
    undefined,
  ]);
});

describe('held frames', () => {
  const open = () => {
    const written: string[] = [];
    return { written, outbox: new Outbox((frame) => written.push(frame.toString())) };
  };
  const frame = (text: string) => Buffer.from(text);

  test('of the same call come behind the acknowledgement, others pass', () => {
    const { written, outbox } = open();
    const release = outbox.hold('call-1');
    outbox.send('call-1', frame('ack-1'));
    outbox.send('call-2', frame('ack-2'));
    outbox.send('call-1', frame('bye-1'));
    expect(written).toEqual(['ack-2']);
    release(frame('sent-1'));
    release(frame('never twice'));
    outbox.send('call-1', frame('later'));
    expect(written).toEqual(['ack-2', 'sent-1', 'ack-1', 'bye-1', 'later']);
  });

  test('wait for the last of several answers', () => {
    const { written, outbox } = open();
    const first = outbox.hold('call-1');
    const second = outbox.hold('call-1');
    outbox.send('call-1', frame('prack'));
    second(frame('sent-2'));
    expect(written).toEqual(['sent-2']);
    first(frame('sent-1'));
    expect(written).toEqual(['sent-2', 'sent-1', 'prack']);
  });
});
