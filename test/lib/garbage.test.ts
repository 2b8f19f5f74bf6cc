import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { collectGarbage } from '../../src/lib/garbage.ts';

const MODULE = new URL('../../src/lib/garbage.ts', import.meta.url).href;

/** What the young generation has grown to in a process that makes and drops much, after `first`. */
async function youngGenerationMiB(first: string): Promise<number> {
  const script = `import { getHeapSpaceStatistics } from 'node:v8';
    import { collectGarbage, limitYoungGeneration } from ${JSON.stringify(MODULE)};
    ${first}
    let kept = [];
    for (let turn = 0; turn < 100; turn++) {
      for (let i = 0; i < 10_000; i++) if (kept.push({ i, of: [i] }) > 60_000) kept = kept.slice(30_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    console.log(young.space_size / 2 ** 20);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  return Number(stdout);
}

test('what nobody holds is gone, and nothing is left of how that was done', async () => {
  const held = new WeakRef(thrownAway());
  // A WeakRef holds what it was made of until the turn ends.
  await new Promise<void>((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(held.deref()).toBeUndefined();
  expect('gc' in globalThis).toBe(process.execArgv.includes('--expose-gc'));
});

test('the young generation stays near its limit, and grows far beyond without one', async () => {
  const [limited, free] = await Promise.all([
    youngGenerationMiB('collectGarbage(); limitYoungGeneration(1 << 20);'),
    youngGenerationMiB('collectGarbage();'),
  ]);
  expect(limited).toBeLessThanOrEqual(2);
  expect(free).toBeGreaterThanOrEqual(8);
});

function thrownAway(): object {
  return { much: new Array(1000).fill(0) };
}
