// What the recorder's rooms tell, put into the outbox: the index in its own transactions, the heart as calls begin and change.
import type { Transaction } from 'kysely';
import type { ArchiveIndex } from '../archive/index/archive-index.ts';
import type { IndexCompanion } from '../archive/index/keeper.ts';
import { createDelivery } from '../delivery/delivery.ts';
import { annotatedEvent, callUpdatedEvent, deletedEvent, filedEvent, startedEvent } from '../delivery/event.ts';
import { type DeliveryQueue, Outbox } from '../delivery/outbox.ts';
import type { OutboxTables } from '../delivery/schema.ts';
import { systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ArchiveEngine } from '../recording/engines.ts';
import type { RecordingNews } from '../recording/news.ts';
import { deliveryTargets } from './delivery-targets.ts';
import type { RecorderDatabase } from './recorder-database.ts';
import { recorderName } from './recorder-name.ts';
import type { Config } from './schema.ts';

const MOST_WAITING = 1_000;

export interface News {
  companion: IndexCompanion;
  recordings: RecordingNews;
  /** The same archive; recordings that it discards were told to have begun, and are told to be gone. */
  archive(archive: ArchiveEngine): ArchiveEngine;
  /** Rejects with DATABASE_FAILED. */
  queues(): Promise<DeliveryQueue[]>;
  /** Sends from here on, what an earlier process left first. */
  start(): void;
  close(): Promise<void>;
}

export interface NewsOptions {
  config: Config;
  database: RecorderDatabase;
  index: ArchiveIndex;
  /** For the User-Agent header. */
  product: string;
  log: Log;
}

export function openNews({ config, database, index, product, log }: NewsOptions): News {
  const clock = systemClock;
  const wallMs = () => clock.wallMs();
  const targets = deliveryTargets(config, { library: index.library, product, wallMs });
  const outbox = new Outbox(database.outbox, targets, recorderName(config));
  const giveUpAfterMs = config.delivery.giveUpDays * 86_400_000;
  const delivery = createDelivery({ outbox, targets, clock, log, giveUpAfterMs });
  // One after the other, so that the database sees them in the order in which they happened.
  let telling: Promise<void> = Promise.resolve();
  let waiting = 0;
  const tell = (event: Parameters<Outbox['add']>[0]) => {
    const about = { type: event.type, recordingId: event.recordingId };
    // A database that is away answers slowly; what calls do meanwhile must not fill the memory.
    if (waiting >= MOST_WAITING) {
      log.warn(about, 'an event is lost: the database is away');
      return;
    }
    waiting++;
    telling = telling
      .then(() => outbox.add(event))
      .catch((err) => log.error({ err, ...about }, 'an event is lost'))
      .finally(() => waiting--);
  };
  return {
    companion: {
      async put(work, { recording: { document, annotations }, before }) {
        const within = work as unknown as Transaction<OutboxTables>;
        if (before === null) await outbox.addWithin(within, filedEvent(document, wallMs()));
        else if (JSON.stringify(before) !== JSON.stringify(annotations))
          await outbox.addWithin(within, annotatedEvent(document, annotations, wallMs()));
      },
      removed: (work, recordingId) =>
        outbox.addWithin(work as unknown as Transaction<OutboxTables>, deletedEvent(recordingId, wallMs())),
    },
    recordings: {
      started: (state) => tell(startedEvent(state, wallMs())),
      partiesChanged: (state) => tell(callUpdatedEvent(state, wallMs())),
    },
    archive: (archive) => ({
      ...archive,
      async discardSession(recordingId) {
        await archive.discardSession(recordingId);
        tell(deletedEvent(recordingId, wallMs()));
      },
    }),
    queues: () => outbox.queues(),
    start: () => delivery.start(),
    async close() {
      await delivery.close();
      await telling;
    },
  };
}
