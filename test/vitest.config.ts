import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Whole calls in real time, programs started and killed, a browser: each of these files has a process of its own. */
const OWN_PROCESS = [
  'test/flow/{answered-and-killed,captured-calls,command-line,external-drachtio,failover,full-disk,many-calls,recordings-command-line,stalled-disk,survival,webhooks}.test.ts',
  'test/load/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/examples/**/*.test.ts',
  'test/http/page/**/*.test.ts',
  'test/capture/{capture-engine,hot-path,reopen,worker-death}.test.ts',
];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    // Node itself loads the sources, as it does for users, from its cache of compiled code: less CPU than through Vite where
    // a test loads the whole recorder.
    experimental: { viteModuleRunner: false },
    setupFiles: ['test/support/each-test.ts'],
    // Threads find their TypeScript stripped: see src/lib/compile-cache.ts for what may happen otherwise.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url)) },
    // With a third one calls in real time are late on two cores, and whoever listens to them hears it.
    maxWorkers: 2,
    // Concurrent tests start servers of their own; more at once than this lose packets on two cores.
    maxConcurrency: 3,
    // Whole calls in real time on a machine shared with others: what fails once is tried once more, and shown as flaky.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'processes', include: OWN_PROCESS } },
      // One process after the other would spend more time on starting than on testing.
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: OWN_PROCESS,
          isolate: false,
          globalSetup: ['test/support/one-postgres.ts'],
        },
      },
    ],
  },
});
