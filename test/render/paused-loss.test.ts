import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderJob } from '../../src/render/job.ts';
import { jobIn, START_MS, talk, tone, writeJournal } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('what was dropped for a pause is no loss, although the last packets came after the moment noted', async () => {
  const directory = await temporaryDirectory();
  const packets = talk({ streamId: 's0', fromMs: 0, toMs: 4_000, signal: tone(440) });
  // The client sends on: dropped from 60 ms after the pause's moment until 40 ms after its end. One packet more is truly lost.
  const kept = packets.filter(({ arrivalMs }) => arrivalMs < 1_060 || arrivalMs >= 2_040);
  writeJournal(
    join(directory, 'capture.pcapng'),
    kept.filter((_, n) => n !== 10),
  );
  const pauses = [{ streamId: 's0', startMs: START_MS + 1_000, endMs: START_MS + 2_000 }];
  const { streams } = renderJob(jobIn(directory, [{ streamId: 's0' }], { pauses }));
  expect(packets.length - kept.length).toBeGreaterThan(40);
  expect(streams[0]).toMatchObject({ lost: 1, reordered: 0, duplicates: 0 });
});
