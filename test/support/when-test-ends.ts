// Who tidies up behind a test, also when others run beside it in the same file: vitest's own onTestFinished takes the one that
// began last for the one that runs.
import { AsyncLocalStorage } from 'node:async_hooks';
import { onTestFinished, type TestContext } from 'vitest';

const running = new AsyncLocalStorage<TestContext>();

/** What `run` begins belongs to that test. The setup file of vitest calls it around each. */
export function asTest(test: TestContext, run: () => Promise<void>): Promise<void> {
  return running.run(test, run);
}

/** Called when the test that is running has ended, the last one first. */
export function whenTestEnds(tidy: () => unknown): void {
  const test = running.getStore();
  if (test) test.onTestFinished(async () => void (await tidy()));
  else onTestFinished(async () => void (await tidy()));
}
