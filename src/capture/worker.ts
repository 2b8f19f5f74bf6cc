// Entry of a capture worker thread: owns sockets and journals, is started by the pool, obeys protocol.ts.
import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { anchoredClock } from '../lib/clock.ts';
import { CaptureWorker } from './capture-worker.ts';
import { AnsweringChannel } from './channel.ts';
import { DgramReceiver } from './dgram-receiver.ts';
import { FileWriter } from './file-writer.ts';
import { createLinuxReceiver } from './linux/linux-receiver.ts';
import type { CaptureCalls, CaptureNews, CaptureNotice, WorkerSettings } from './protocol.ts';

const settings = workerData as WorkerSettings;
const fileWriter = new FileWriter();
const clock = anchoredClock(settings.anchor);
const receiver =
  settings.receiver === 'linux'
    ? createLinuxReceiver(clock, settings.receiveBufferOctets)
    : new DgramReceiver(clock, settings.receiveBufferOctets);

const worker = new CaptureWorker({
  settings,
  clock,
  receiver,
  fileSystem: { ...fs, write: (...args) => fileWriter.write(...args) },
  tell: (news) => channel.tell(news),
});
const channel = new AnsweringChannel<CaptureCalls, CaptureNotice, CaptureNews>(
  parentPort!,
  { ...worker.handlers, close: end },
  (notice) => {
    // Not with the first batch: on a busy machine a thread takes longer to start than packets may be in memory only.
    // And not before: a spare worker is a third smaller without.
    if (notice.type === 'begin') fileWriter.prepare();
    worker.notice(notice);
  },
);
channel.tell({ type: 'ready' });

/** Leaves nothing that keeps the thread, so that nobody has to terminate it in the middle of something. */
async function end(request: Record<string, never>): Promise<undefined> {
  await worker.handlers.close(request);
  await fileWriter.close();
  // After the answer has left.
  setImmediate(() => parentPort!.close());
  return undefined;
}
