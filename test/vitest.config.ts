import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Threads find their TypeScript stripped: see src/lib/compile-cache.ts for what may happen otherwise.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url)) },
    maxWorkers: 2,
    // Concurrent tests start servers of their own; more at once than this lose packets on two cores.
    maxConcurrency: 3,
    // Whole calls in real time on a machine shared with others: what fails once is tried once more, and shown as flaky.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
