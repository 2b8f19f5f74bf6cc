import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Concurrent tests start servers of their own; more at once than this lose packets on two cores.
    maxConcurrency: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
