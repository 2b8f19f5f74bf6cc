// `sipreel deliveries --again`: a target is told of recordings of the past, perhaps from before it was there.

import { deliveryTargets } from '../config/delivery-targets.ts';
import { openIndex } from '../config/open-index.ts';
import type { RecorderDatabase } from '../config/recorder-database.ts';
import type { Config } from '../config/schema.ts';
import { storeCopies, storedFiles } from '../config/stored-files.ts';
import { filedEvent } from '../delivery/event.ts';
import type { Outbox } from '../delivery/outbox.ts';
import type { Log } from '../lib/log.ts';
import { MAX_PAGE } from '../recording/library.ts';

export interface Again {
  target: string;
  /** Started then, Unix ms. */
  range: { fromMs?: number; toMs?: number };
  nowMs: number;
}

/** Returns how many events will be sent; null if there is no such target. Recordings of other recorders are theirs to tell of. */
export async function tellAgain(
  config: Config,
  database: RecorderDatabase,
  outbox: Outbox,
  { target: name, range, nowMs }: Again,
  log: Log,
): Promise<number | null> {
  const index = openIndex(config, database, storedFiles(config, await storeCopies(config)), log);
  try {
    const surroundings = { library: index.library, product: 'sipreel', wallMs: () => nowMs };
    const target = deliveryTargets(config, surroundings).find((one) => one.name === name);
    if (!target) return null;
    let told = 0;
    for (let after: string | null = null; ; ) {
      const page = await index.library.search(range, { limit: MAX_PAGE, after });
      for (const hit of page.items) {
        if (hit.directory === null) continue;
        const recording = await index.library.get(hit.document.id);
        if (recording && (await outbox.tell(filedEvent(recording.document, nowMs), target, nowMs))) told++;
      }
      if (page.next === null) return told;
      after = page.next;
    }
  } finally {
    await index.close();
  }
}
