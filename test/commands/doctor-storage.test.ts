// What `sipreel doctor` says of storage, and of a recorder that runs.
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkReadiness } from '../../src/commands/doctor-readiness.ts';
import { checkStorage } from '../../src/commands/doctor-storage.ts';
import { configFromFlags } from '../../src/commands/serve-options.ts';
import { openDoor } from '../http/door-under-test.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function configured(storage: { spoolDirectory?: string; archiveDirectory?: string; floorMiB?: number }) {
  const data = await temporaryDirectory();
  const config = await configFromFlags({ data });
  return { ...config, storage: { ...config.storage, floorPercent: 0, ...storage } };
}

test('one directory for everything is one line', async () => {
  const findings = await checkStorage(await configured({ floorMiB: 1 }));
  expect(findings).toHaveLength(1);
  expect(findings[0]!.text).toMatch(
    /^data, spool, archive directory .* GiB free; new calls are refused below 0\.0 GiB/,
  );
});

test('directories of their own have a line each; one that is not there is not made', async () => {
  const directory = await temporaryDirectory();
  const archiveDirectory = join(directory, 'archive');
  await mkdir(archiveDirectory);
  const spoolDirectory = join(directory, 'not-mounted');
  const findings = await checkStorage(await configured({ spoolDirectory, archiveDirectory, floorMiB: 1 }));
  expect(findings.map(({ verdict, text }) => [verdict === 'fail', text.split(' ')[0]])).toEqual([
    [false, 'data'],
    [true, 'spool'],
    [false, 'archive'],
  ]);
});

test('less space than the floor is a failure that says what to do', async () => {
  const { bavail, bsize } = await statfs(await temporaryDirectory());
  const [finding] = await checkStorage(await configured({ floorMiB: Math.ceil((bavail * bsize) / 2 ** 20) + 10_000 }));
  expect(finding).toMatchObject({ verdict: 'fail', text: expect.stringMatching('make room') });
});

test('a running recorder: whether it takes calls, and every gauge with its limits', async () => {
  const gauges = [{ name: 'recordings', value: 200, refuseAt: 200, acceptAt: 198, refusing: true }];
  const reasons = [{ code: 'TOO_MANY_RECORDINGS' as const, message: 'Enough.' }];
  const door = await openDoor({ readiness: () => ({ ready: false, reasons, gauges }) });
  const findings = await checkReadiness({ data: door.dataDirectory });
  expect(findings.map(({ verdict, text }) => `${verdict} ${text.replace(/http:\S+/, 'URL')}`)).toEqual([
    'warn the recorder at URL refuses calls: Enough.',
    'warn recordings 200 (refuses at 200, takes again at 198)',
  ]);
  expect(await checkReadiness({ data: await temporaryDirectory() })).toEqual([]);
});
