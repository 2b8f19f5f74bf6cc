// npm run test:load: the load tests at their full size, one after the other, on a machine that has nothing else to do.
import { mergeConfig } from 'vitest/config';
import base from '../vitest.config.ts';

export default mergeConfig(base, {
  test: { env: { SIPREEL_LOAD: 'full' }, fileParallelism: false, silent: false },
});
