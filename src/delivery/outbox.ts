// The outbox: what has to be told to whom, kept until it has been. An event goes in with the change that it tells of, in the
// same transaction; from there it is sent, sent again, and given up after days.
//
//   waiting ──taken by the target──▶ (gone)
//      │  ▲
//      │  └─ failed: due again later
//      └────── too old, or refused for good ──▶ dead ──replayed──▶ waiting
import { sql, type Transaction } from 'kysely';
import { type Database, databaseError } from '../database/database.ts';
import type { DeliveryEvent, EventType } from './event.ts';
import type { OutboxTables, TaskRow } from './schema.ts';

export interface OutboxTarget {
  name: string;
  /** Which events it is told. */
  events: readonly EventType[];
}

/** An event on its way to one target. */
export interface DeliveryTask {
  target: string;
  seq: number;
  attempts: number;
  event: DeliveryEvent;
}

export interface StandingTask extends Pick<TaskRow, 'target' | 'seq' | 'state' | 'attempts' | 'failure'> {
  eventId: string;
  type: string;
  recordingId: string;
  atMs: number;
  dueMs: number;
}

/** What stands for one target. */
export interface DeliveryQueue {
  target: string;
  waiting: number;
  /** When the oldest waiting event happened, Unix ms; null if none waits. */
  oldestMs: number | null;
  /** Given up. */
  dead: number;
}

const DAY_MS = 86_400_000;
/** Events are kept so that none is told twice by its key; recordings change their state within this time. */
const KEEP_EVENTS_MS = 30 * DAY_MS;

export class Outbox {
  readonly #database: Database<OutboxTables>;
  readonly #targets: readonly OutboxTarget[];
  readonly #recorder: string;
  readonly #listeners: (() => void)[] = [];

  /** `recorder` names this process among those that share the database: each sends its own. */
  constructor(database: Database<OutboxTables>, targets: readonly OutboxTarget[], recorder: string) {
    this.#database = database;
    this.#targets = targets;
    this.#recorder = recorder;
  }

  /** Called when something may be due. */
  onAdded(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Puts an event in within a transaction of the caller's. Does nothing if nobody wants it, or its key is known already. */
  async addWithin(work: Transaction<OutboxTables>, event: DeliveryEvent): Promise<void> {
    const targets = this.#targets.filter((target) => target.events.includes(event.type));
    if (targets.length === 0) return;
    const { eventId, key, type, recordingId, atMs, data } = event;
    const added = await work
      .insertInto('delivery_events')
      .values({
        event_id: eventId,
        event_key: key,
        type,
        recording_id: recordingId,
        recorder: this.#recorder,
        at_ms: atMs,
        data: JSON.stringify(data),
      } as never)
      .onConflict((conflict) => conflict.doNothing())
      .returning('seq')
      .executeTakeFirst();
    if (!added) return;
    const tasks = targets.map(
      ({ name }): TaskRow => ({
        target: name,
        seq: added.seq,
        recording_id: recordingId,
        recorder: this.#recorder,
        state: 'waiting',
        attempts: 0,
        due_ms: atMs,
        failure: null,
      }),
    );
    await work.insertInto('delivery_tasks').values(tasks).execute();
    // The transaction is not over yet: whoever looks too early looks again.
    setImmediate(() => this.#tell());
  }

  /** Puts an event in that no other change goes with. Rejects with DATABASE_FAILED. */
  async add(event: DeliveryEvent): Promise<void> {
    if (!this.#targets.some((target) => target.events.includes(event.type))) return;
    await this.#ask(({ write }) => write.transaction().execute((work) => this.addWithin(work, event)));
    this.#tell();
  }

  /** Due tasks of a target in the order of their events. While an earlier event of a recording waits, its later ones do too. */
  async due(target: string, nowMs: number, limit: number): Promise<DeliveryTask[]> {
    const rows = await this.#ask(({ read }) =>
      read
        .selectFrom('delivery_tasks as t')
        .innerJoin('delivery_events as e', 'e.seq', 't.seq')
        .selectAll('e')
        .select(['t.attempts'])
        .where('t.target', '=', target)
        .where('t.recorder', '=', this.#recorder)
        .where('t.state', '=', 'waiting')
        .where('t.due_ms', '<=', nowMs)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('delivery_tasks as o')
                .select(sql`1`.as('one'))
                .whereRef('o.target', '=', 't.target')
                .whereRef('o.recording_id', '=', 't.recording_id')
                .whereRef('o.seq', '<', 't.seq')
                .where('o.state', '=', 'waiting'),
            ),
          ),
        )
        .orderBy('t.seq')
        .limit(limit)
        .execute(),
    );
    return rows.map((row) => ({
      target,
      seq: row.seq,
      attempts: row.attempts,
      event: {
        eventId: row.event_id,
        type: row.type as EventType,
        recordingId: row.recording_id,
        atMs: row.at_ms,
        key: row.event_key,
        data: JSON.parse(row.data) as object,
      },
    }));
  }

  /** When the next waiting task of a target is due, Unix ms; null if none waits. */
  async nextDueMs(target: string): Promise<number | null> {
    const row = await this.#ask(({ read }) =>
      read
        .selectFrom('delivery_tasks')
        .select(({ fn }) => fn.min<number | null>('due_ms').as('dueMs'))
        .where('target', '=', target)
        .where('recorder', '=', this.#recorder)
        .where('state', '=', 'waiting')
        .executeTakeFirst(),
    );
    return row?.dueMs ?? null;
  }

  /** How much stands for each target of this recorder. Targets for which nothing stands are there too. */
  async queues(): Promise<DeliveryQueue[]> {
    const rows = await this.#ask(({ read }) =>
      read
        .selectFrom('delivery_tasks as t')
        .innerJoin('delivery_events as e', 'e.seq', 't.seq')
        .select(['t.target', 't.state'])
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min<number>('e.at_ms').as('oldestMs')])
        .where('t.recorder', '=', this.#recorder)
        .groupBy(['t.target', 't.state'])
        .execute(),
    );
    const names = new Set([...this.#targets.map(({ name }) => name), ...rows.map((row) => row.target)]);
    return [...names].map((target) => {
      const of = (state: TaskRow['state']) => rows.find((row) => row.target === target && row.state === state);
      const waiting = of('waiting');
      return {
        target,
        waiting: Number(waiting?.count ?? 0),
        oldestMs: waiting?.oldestMs ?? null,
        dead: Number(of('dead')?.count ?? 0),
      };
    });
  }

  async done({ target, seq }: Pick<DeliveryTask, 'target' | 'seq'>): Promise<void> {
    await this.#ask(({ write }) =>
      write.deleteFrom('delivery_tasks').where('target', '=', target).where('seq', '=', seq).execute(),
    );
  }

  /** Due again at `dueMs`; null: given up. */
  async failed({ target, seq, attempts }: DeliveryTask, failure: string, dueMs: number | null): Promise<void> {
    const change = { failure: failure.slice(0, 500), attempts: attempts + 1 };
    await this.#ask(({ write }) =>
      write
        .updateTable('delivery_tasks')
        .set(dueMs === null ? { ...change, state: 'dead' } : { ...change, due_ms: dueMs })
        .where('target', '=', target)
        .where('seq', '=', seq)
        .execute(),
    );
  }

  /** What waits or was given up, oldest first. */
  async standing(filter: { state?: TaskRow['state']; target?: string; limit: number }): Promise<StandingTask[]> {
    const rows = await this.#ask(({ read }) => {
      let tasks = read.selectFrom('delivery_tasks as t').innerJoin('delivery_events as e', 'e.seq', 't.seq');
      if (filter.state !== undefined) tasks = tasks.where('t.state', '=', filter.state);
      if (filter.target !== undefined) tasks = tasks.where('t.target', '=', filter.target);
      return tasks
        .select(['t.target', 't.seq', 't.state', 't.attempts', 't.failure', 't.due_ms as dueMs'])
        .select(['e.event_id as eventId', 'e.type', 'e.recording_id as recordingId', 'e.at_ms as atMs'])
        .orderBy('t.seq')
        .limit(filter.limit)
        .execute();
    });
    return rows;
  }

  /** Has given-up events sent again from now on: one by its id, or all. Returns how many. */
  async replay(which: { eventId: string } | 'all', nowMs: number): Promise<number> {
    const result = await this.#ask(({ write }) => {
      let tasks = write
        .updateTable('delivery_tasks')
        .set({ state: 'waiting', due_ms: nowMs, attempts: 0 })
        .where('state', '=', 'dead');
      if (which !== 'all') {
        tasks = tasks.where('seq', 'in', (events) =>
          events.selectFrom('delivery_events').select('seq').where('event_id', '=', which.eventId),
        );
      }
      return tasks.executeTakeFirst();
    });
    this.#tell();
    return Number(result.numUpdatedRows);
  }

  /**
   * Has one target told of something that happened before it was there, or that it is to hear again. An event that is known by its key
   * keeps its id. False if the target does not want such events, or the event stands for it already.
   */
  async tell(event: DeliveryEvent & { key: string }, target: OutboxTarget, nowMs: number): Promise<boolean> {
    if (!target.events.includes(event.type)) return false;
    const { eventId, key, type, recordingId, atMs, data } = event;
    const added = await this.#ask(({ write }) =>
      write.transaction().execute(async (work) => {
        const [columns, recorder] = [{ event_id: eventId, event_key: key, type }, this.#recorder];
        await work
          .insertInto('delivery_events')
          .values({ ...columns, recording_id: recordingId, recorder, at_ms: atMs, data: JSON.stringify(data) } as never)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const known = work.selectFrom('delivery_events').select('seq').where('event_key', '=', key);
        const { seq } = await known.executeTakeFirstOrThrow();
        const task = { target: target.name, seq, recording_id: recordingId, recorder, state: 'waiting' as const };
        return work
          .insertInto('delivery_tasks')
          .values({ ...task, attempts: 0, due_ms: nowMs, failure: null })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
      }),
    );
    this.#tell();
    return Number(added.numInsertedOrUpdatedRows ?? 0) > 0;
  }

  /** Removes events that have been told long ago. */
  async prune(nowMs: number): Promise<void> {
    await this.#ask(({ write }) =>
      write
        .deleteFrom('delivery_events')
        .where('at_ms', '<', nowMs - KEEP_EVENTS_MS)
        .where('recorder', '=', this.#recorder)
        .where('seq', 'not in', (tasks) => tasks.selectFrom('delivery_tasks').select('seq'))
        .execute(),
    );
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async #ask<T>(question: (database: Database<OutboxTables>) => Promise<T>): Promise<T> {
    try {
      await this.#database.ready();
      return await question(this.#database);
    } catch (error) {
      throw databaseError(error);
    }
  }
}
