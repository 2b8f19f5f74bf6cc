// The recorder as a child of the chaos run. Takes orders: step the wall clock, end a capture thread as a crash would.
//
// Hooks that a product must not have are put in from outside, before any of its modules is loaded: Date.now, which is all
// that the product's clock asks of the wall clock, and the constructor of worker threads (capture-threads.ts).
import { captureThreads, hang } from '../support/capture-threads.ts';

export type Order = { type: 'step-clock'; byMs: number } | { type: 'kill-worker' | 'hang-worker'; pick: number };
export type Report =
  | { type: 'ready'; sip: string; resumed: number; recovered: number }
  | { type: 'failed'; message: string };

const trueNow = Date.now;
let shiftMs = Number(process.env.CHAOS_WALL_SHIFT_MS ?? 0);
Date.now = () => trueNow() + shiftMs;

process.on('message', (order: Order) => {
  if (order.type === 'step-clock') {
    shiftMs += order.byMs;
    return;
  }
  const thread = [...captureThreads][order.pick % Math.max(1, captureThreads.size)];
  if (!thread) return;
  if (order.type === 'kill-worker') void thread.terminate();
  else hang(thread, 'for ever');
});
process.on('disconnect', () => process.exit(1));

const { startApp } = await import('../../src/app.ts');
const { loadConfig } = await import('../../src/config/load.ts');
const { processLog } = await import('../../src/commands/process-log.ts');
const tell = (report: Report) => process.send?.(report);
try {
  const app = await startApp(loadConfig({ file: process.argv[2] }), { log: processLog('warn') });
  tell({ type: 'ready', sip: app.sipAddresses[0]!, resumed: app.resumed, recovered: app.recovered });
} catch (error) {
  tell({ type: 'failed', message: String(error) });
}
