// Before every test file: see when-test-ends.ts.
import { aroundEach } from 'vitest';
import { asTest } from './when-test-ends.ts';

aroundEach((runTest, test) => asTest(test, runTest));
