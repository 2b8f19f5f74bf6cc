import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ours = pathToFileURL(fileURLToPath(new URL('../../src/lib/compile-cache.ts', import.meta.url))).href;

test('from the second start on a thread finds its TypeScript stripped: the stripper is not loaded', async () => {
  const directory = await temporaryDirectory();
  await writeFile(
    join(directory, 'thread.ts'),
    "const loaded: string[] = process.moduleLoadList;\nconsole.log(loaded.some((name) => name.includes('amaro')));",
  );
  await writeFile(
    join(directory, 'main.mjs'),
    `import { Worker } from 'node:worker_threads';
     import { shareCompileCache } from ${JSON.stringify(ours)};
     shareCompileCache(new URL('./cache/', import.meta.url));
     new Worker(new URL('./thread.ts', import.meta.url));`,
  );
  const { NODE_COMPILE_CACHE: _, ...rest } = process.env;
  const start = () => {
    const { stdout } = spawnSync(process.execPath, [join(directory, 'main.mjs')], { env: rest, encoding: 'utf8' });
    return stdout.trim();
  };
  expect([start(), start()]).toEqual(['true', 'false']);
});
