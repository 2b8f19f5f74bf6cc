// A worker that leaves a half-written file and dies, by the title of the job; other jobs are rendered as usual.
import { writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { renderJob } from '../../src/render/job.ts';
import type { RenderAnswer, RenderOrder } from '../../src/render/protocol.ts';

parentPort!.on('message', ({ job }: RenderOrder) => {
  const ending = job.info.INAM;
  if (ending !== undefined) writeFileSync(`${job.audioPath}.part`, 'half');
  if (ending === 'throws') throw new Error('thrown on purpose');
  if (ending === 'exits') process.exit(7);
  parentPort!.postMessage({ type: 'done', result: renderJob(job) } satisfies RenderAnswer);
});
