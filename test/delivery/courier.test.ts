import { expect, onTestFinished, test } from 'vitest';
import { connectDatabase, type Database, type DatabaseAddress } from '../../src/database/database.ts';
import { Courier } from '../../src/delivery/courier.ts';
import { type DeliveryEvent, deletedEvent, EVENT_TYPES, filedEvent, startedEvent } from '../../src/delivery/event.ts';
import { Outbox } from '../../src/delivery/outbox.ts';
import { type OutboxTables, outboxMigrations } from '../../src/delivery/schema.ts';
import { DeliveryFailure, type DeliveryTarget, type FailureKind } from '../../src/delivery/target.ts';
import { silentLog } from '../../src/lib/log.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { onBothDatabases } from '../archive/index/databases.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR_MS = 3_600_000;

/** Takes what it is sent, or fails as it is told to. */
class Receiver implements DeliveryTarget {
  readonly name: string;
  readonly events = EVENT_TYPES;
  readonly taken: string[] = [];
  attempts = 0;
  failure: (event: DeliveryEvent) => FailureKind | 'hang' | null = () => null;

  constructor(name = 'receiver') {
    this.name = name;
  }

  async deliver(event: DeliveryEvent, signal: AbortSignal): Promise<void> {
    this.attempts++;
    const kind = this.failure(event);
    if (kind === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    else if (kind) throw new DeliveryFailure(kind, `is ${kind}`);
    this.taken.push(`${event.recordingId} ${event.type.replace('recording.', '')}`);
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 4_000; round++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('never');
}

function opened(address: DatabaseAddress): Database<OutboxTables> {
  const database = connectDatabase<OutboxTables>(address, outboxMigrations);
  onTestFinished(() => database.close());
  return database;
}

function courierFor(outbox: Outbox, target: DeliveryTarget, clock: ManualClock, giveUpAfterMs = 72 * HOUR_MS): Courier {
  const courier = new Courier({ outbox, target, clock, log: silentLog, concurrency: 4, giveUpAfterMs });
  onTestFinished(() => courier.close());
  return courier;
}

const call = {
  participants: [],
  identifiers: { sipCallId: 'c', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
  statedStartMs: null,
  extraHeaders: [],
};
const started = (recordingId: string, clock: ManualClock) =>
  startedEvent({ recordingId, source: 'siprec', startMs: clock.nowMs(), call }, clock.wallMs());
const filed = (id: string, clock: ManualClock) => filedEvent(exampleDocument({ id }), clock.wallMs());

onBothDatabases((fresh) => {
  test('events are told in order, each once, however often they are put in', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    const outbox = new Outbox(opened(await fresh()), [receiver], 'here');
    for (const id of ['a', 'b']) {
      await outbox.add(started(id, clock));
      await outbox.add(filed(id, clock));
      await outbox.add(started(id, clock));
      await outbox.add(filed(id, clock));
      await outbox.add(deletedEvent(id, clock.wallMs()));
    }
    courierFor(outbox, receiver, clock).wake();
    await until(() => receiver.taken.length === 6);
    for (const id of ['a', 'b']) {
      const own = receiver.taken.filter((told) => told.startsWith(id));
      expect(own).toEqual([`${id} started`, `${id} finished`, `${id} deleted`]);
    }
    expect(receiver.attempts).toBe(6);
    await until(async () => (await outbox.standing({ limit: 10 })).length === 0);
  });

  test('a receiver that is down costs one attempt at a time, holds up nobody else, and then gets all in order', async () => {
    const clock = new ManualClock();
    const [down, up] = [new Receiver('down'), new Receiver('up')];
    const outbox = new Outbox(opened(await fresh()), [down, up], 'here');
    down.failure = () => 'unreachable';
    const couriers = [down, up].map((receiver) => courierFor(outbox, receiver, clock));
    for (let n = 0; n < 10; n++) await outbox.add(started(`r${n}`, clock));
    for (const courier of couriers) courier.wake();
    await until(() => up.taken.length === 10);
    await until(() => down.attempts >= 4);
    const before = down.attempts;
    clock.advance(5_000);
    await until(() => down.attempts === before + 1);
    clock.advance(30_000);
    await until(() => down.attempts === before + 2);
    down.failure = () => null;
    clock.advance(120_000);
    await until(() => down.taken.length === 10);
    expect(down.taken).toEqual(Array.from({ length: 10 }, (_, n) => `r${n} started`));
  });

  test('a refused event is tried again by itself, and blocks only its own recording', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    const outbox = new Outbox(opened(await fresh()), [receiver], 'here');
    receiver.failure = ({ recordingId }) => (recordingId === 'bad' ? 'refused' : null);
    for (const id of ['bad', 'good']) {
      await outbox.add(started(id, clock));
      await outbox.add(filed(id, clock));
    }
    courierFor(outbox, receiver, clock).wake();
    await until(() => receiver.taken.length === 2);
    expect(receiver.taken).toEqual(['good started', 'good finished']);
    await until(async () => (await outbox.standing({ limit: 9 })).some((task) => task.attempts === 1));
    receiver.failure = () => null;
    clock.advance(5_000);
    // The courier may have looked just before, and look again a moment later.
    await until(() => {
      clock.advance(100);
      return receiver.taken.length === 4;
    });
    expect(receiver.taken.slice(2)).toEqual(['bad started', 'bad finished']);
  });

  test('after days an event is given up, shown, and sent again on demand', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    const outbox = new Outbox(opened(await fresh()), [receiver], 'here');
    receiver.failure = () => 'refused';
    await outbox.add(started('a', clock));
    const courier = courierFor(outbox, receiver, clock, HOUR_MS);
    courier.wake();
    await until(async () => {
      clock.advance(60_000);
      return (await outbox.standing({ state: 'dead', limit: 1 })).length > 0;
    });
    expect(receiver.attempts).toBeGreaterThan(3);
    const [dead] = await outbox.standing({ limit: 5 });
    expect(await outbox.queues()).toEqual([{ target: 'receiver', waiting: 0, oldestMs: null, dead: 1 }]);
    expect(dead).toMatchObject({ state: 'dead', recordingId: 'a', failure: 'is refused' });
    receiver.failure = () => null;
    expect(await outbox.replay({ eventId: 'other' }, clock.wallMs())).toBe(0);
    expect(await outbox.replay({ eventId: dead!.eventId }, clock.wallMs())).toBe(1);
    courier.wake();
    await until(() => receiver.taken.length === 1);
  });

  test('410 is final', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    receiver.failure = () => 'hopeless';
    const outbox = new Outbox(opened(await fresh()), [receiver], 'here');
    await outbox.add(started('a', clock));
    courierFor(outbox, receiver, clock).wake();
    await until(async () => (await outbox.standing({ state: 'dead', limit: 1 })).length === 1);
    expect(receiver.attempts).toBe(1);
  });

  test('what was on its way when the process ended is sent by the next one; another recorder does not touch it', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    const address = await fresh();
    const outbox = new Outbox(opened(address), [receiver], 'here');
    await outbox.add(started('a', clock));
    receiver.failure = () => 'hang';
    const first = courierFor(outbox, receiver, clock);
    first.wake();
    await until(() => receiver.attempts === 1);
    await first.close();
    receiver.failure = () => null;
    const elsewhere = new Receiver();
    courierFor(new Outbox(opened(address), [elsewhere], 'elsewhere'), elsewhere, clock).wake();
    courierFor(new Outbox(opened(address), [receiver], 'here'), receiver, clock).wake();
    await until(() => receiver.taken.length === 1);
    expect(elsewhere.attempts).toBe(0);
  });

  test('an event goes in with the change that it tells of, or not at all', async () => {
    const clock = new ManualClock();
    const receiver = new Receiver();
    const database = opened(await fresh());
    const outbox = new Outbox(database, [receiver], 'here');
    await database.ready();
    const failing = database.write.transaction().execute(async (work) => {
      await outbox.addWithin(work, filed('a', clock));
      throw new Error('the change failed');
    });
    await expect(failing).rejects.toThrow('the change failed');
    expect(await outbox.standing({ limit: 5 })).toEqual([]);
    await outbox.add(filed('a', clock));
    expect(await outbox.standing({ limit: 5 })).toHaveLength(1);
    await outbox.done({ target: 'receiver', seq: (await outbox.standing({ limit: 1 }))[0]!.seq });
    await outbox.prune(clock.wallMs() + 31 * 24 * HOUR_MS);
    await outbox.add(filed('a', clock));
    expect(await outbox.standing({ limit: 5 })).toHaveLength(1);
  });

  test('a target that came later is told of what was before it, once; one that was told hears the same id again', async () => {
    const clock = new ManualClock();
    const [old, later] = [new Receiver('old'), new Receiver('later')];
    const database = opened(await fresh());
    const document = exampleDocument();
    const before = new Outbox(database, [old], 'here');
    const first = filedEvent(document, clock.wallMs());
    await before.add(first);
    courierFor(before, old, clock).wake();
    await until(() => old.taken.length === 1);

    const outbox = new Outbox(database, [old, later], 'here');
    const again = () => filedEvent(document, clock.wallMs());
    expect(await outbox.tell(again(), later, clock.wallMs())).toBe(true);
    expect(await outbox.tell(again(), later, clock.wallMs())).toBe(false);
    expect((await outbox.due('later', clock.wallMs(), 5)).map(({ event }) => event.eventId)).toEqual([first.eventId]);
    courierFor(outbox, later, clock).wake();
    await until(() => later.taken.length === 1);
    const unknown = filedEvent(exampleDocument({ id: '0f1e2d3c-0000-4000-8000-000000000009' }), clock.wallMs());
    expect(await outbox.tell(unknown, later, clock.wallMs())).toBe(true);
    const onlyStarts = { name: 'starts', events: ['recording.started'] as const };
    expect(await outbox.tell(again(), onlyStarts, clock.wallMs())).toBe(false);
    expect(old.taken).toHaveLength(1);
    await until(
      async () => (await outbox.standing({ limit: 5 })).filter(({ target }) => target !== 'later').length === 0,
    );
  });
});
