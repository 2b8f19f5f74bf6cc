// Outbox and couriers of one recorder, put together.
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import type { Log } from '../lib/log.ts';
import { Courier } from './courier.ts';
import type { Outbox } from './outbox.ts';
import type { DeliveryTarget } from './target.ts';

export interface DeliveryOptions {
  outbox: Outbox;
  targets: readonly DeliveryTarget[];
  clock: Clock;
  log: Log;
  giveUpAfterMs: number;
}

export interface Delivery {
  /** What a previous process left is sent from here on. */
  start(): void;
  /** What is on its way is sent again by the next process. Idempotent. */
  close(): Promise<void>;
}

const CONCURRENCY = 4;
const PRUNE_EVERY_MS = 3_600_000;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { outbox, targets, clock, giveUpAfterMs } = options;
  const log = options.log.child({ part: 'delivery' });
  const couriers = targets.map(
    (target) => new Courier({ outbox, target, clock, log, concurrency: CONCURRENCY, giveUpAfterMs }),
  );
  let closed = false;
  const wake = () => {
    for (const courier of couriers) courier.wake();
  };
  const prune = (): void => {
    if (closed) return;
    outbox.prune(clock.wallMs()).catch((error) => log.warn({ err: error }, 'old events could not be removed'));
    clock.after(PRUNE_EVERY_MS, prune);
  };
  return {
    start() {
      if (targets.length === 0) return;
      outbox.onAdded(wake);
      wake();
      clock.after(PRUNE_EVERY_MS, prune);
    },
    close: closeOnce(async () => {
      closed = true;
      await Promise.all(couriers.map((courier) => courier.close()));
    }),
  };
}
