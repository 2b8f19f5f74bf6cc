import { expect, test } from 'vitest';
import { openFileLimit, parseOpenFileLimit, tooFewOpenFiles } from '../../src/commands/open-files.ts';

// As Linux 6 writes it.
const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96224                96224                processes
Max open files            1024                 524288               files
Max locked memory         8388608              8388608              bytes
`;

test('the soft limit, and the calls that it is enough for: five files each beside a hundred', () => {
  expect(parseOpenFileLimit(LIMITS)).toEqual({ files: 1024, calls: 184 });
  expect(parseOpenFileLimit(LIMITS.replace('1024 ', '64   '))).toEqual({ files: 64, calls: 0 });
  expect(parseOpenFileLimit('')).toBeNull();
});

test('told in words if the ports would take more calls', () => {
  const limit = { files: 1024, calls: 184 };
  expect(tooFewOpenFiles(limit, { first: 40_000, last: 40_000 + 184 * 4 - 1 })).toBeNull();
  expect(tooFewOpenFiles(limit, { first: 40_000, last: 40_000 + 1000 * 4 - 1 })).toBe(
    'the open file limit 1024 is enough for 184 two-party calls, rtp.ports for 1000: raise it to 5100 with ulimit -n or LimitNOFILE',
  );
});

test.skipIf(process.platform !== 'linux')('this process has a limit', async () => {
  expect((await openFileLimit())!.files).toBeGreaterThan(0);
});
