import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ArchiveIndex } from '../../src/archive/index/archive-index.ts';
import { openNews } from '../../src/config/news.ts';
import { recorderDatabase } from '../../src/config/recorder-database.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import type { SessionState } from '../../src/recording/session-state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('while the database is away, what calls do does not pile up without end', async () => {
  const targets = [{ kind: 'command', name: 'x', command: ['/bin/true'], events: ['recording.started'] }];
  const config = configSchema.parse({ delivery: { targets } });
  // Nobody answers there, and nobody refuses: each try takes its time.
  const index = { postgres: 'postgres://nobody@192.0.2.1:1/none', recorder: 'here' };
  const directory = await temporaryDirectory();
  const database = recorderDatabase(index, join(directory), { log: silentLog, wallMs: 1 });
  const warn = vi.fn();
  const log: Log = { ...silentLog, warn, child: () => log };
  const news = openNews({ config, database, index: {} as ArchiveIndex, product: 'test', log });
  onTestFinished(() => database.close());
  const call = { participants: [], identifiers: {}, statedStartMs: null, extraHeaders: [] };
  for (let n = 0; n < 1_500; n++) {
    news.recordings.started({ recordingId: `r${n}`, source: 'siprec', startMs: 0, call } as unknown as SessionState);
  }
  expect(warn).toHaveBeenCalledTimes(500);
  expect(warn.mock.calls[0]).toMatchObject([{ recordingId: 'r1000' }, expect.stringContaining('lost')]);
});
