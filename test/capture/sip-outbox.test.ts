import { describe, expect, test } from 'vitest';
import { type RecordedSip, SipOutbox } from '../../src/capture/sip-outbox.ts';
import type { SipRecord } from '../../src/recording/media.ts';
import { ManualClock } from '../support/manual-clock.ts';

const record = (text: string): SipRecord => ({
  timeMs: 1,
  direction: 'received',
  transport: 'udp',
  local: { host: '192.0.2.9', port: 5060 },
  remote: { host: '192.0.2.1', port: 5060 },
  message: Buffer.from(text),
});

function setUp() {
  const clock = new ManualClock();
  const posted: string[][] = [];
  const text = ({ recordingId, record: { message } }: RecordedSip) => `${recordingId} ${Buffer.from(message)}`;
  return { clock, posted, outbox: new SipOutbox(clock, (gathered) => posted.push(gathered.map(text))) };
}

describe('SIP messages on their way to a worker', () => {
  test('those of 25 ms go together, in order', () => {
    const { clock, posted, outbox } = setUp();
    outbox.add('a', record('INVITE'));
    clock.advance(20);
    outbox.add('b', record('INVITE'));
    outbox.add('a', record('200'));
    expect(posted).toEqual([]);
    clock.advance(5);
    outbox.add('a', record('ACK'));
    expect(posted).toEqual([['a INVITE', 'b INVITE', 'a 200']]);
    clock.advance(25);
    expect(posted[1]).toEqual(['a ACK']);
    clock.advance(1000);
    expect([posted.length, clock.pendingTimers]).toEqual([2, 0]);
  });

  test('flushed at once before what must not overtake them', () => {
    const { clock, posted, outbox } = setUp();
    outbox.flush();
    outbox.add('a', record('BYE'));
    outbox.flush();
    expect(posted).toEqual([['a BYE']]);
    clock.advance(100);
    expect(posted).toHaveLength(1);
  });

  test('what was not posted is taken back, recording by recording', () => {
    const { clock, posted, outbox } = setUp();
    for (const id of ['a', 'b', 'a']) outbox.add(id, record(id));
    expect(outbox.takeAll('a').map(({ message }) => Buffer.from(message).toString())).toEqual(['a', 'a']);
    clock.advance(25);
    expect(posted).toEqual([['b b']]);
  });
});
