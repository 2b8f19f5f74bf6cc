import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditFile } from '../../src/archive/audit-file.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const lines = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('each act is a line of its own, in order, whatever stands in it', async () => {
  const directory = await temporaryDirectory();
  const audit = new AuditFile(directory, new ManualClock());
  const details = Array.from({ length: 50 }, (_, i) => `number ${i}\n"quoted" \ud800`);
  await Promise.all(details.map((detail) => audit.write({ action: 'play', who: 'token:x', from: '::1', detail })));
  await audit.write({ action: 'delete', who: 'local', from: null, recordingId: 'r' });
  const written = await lines(join(directory, 'audit.jsonl'));
  expect(written.map((line) => line.detail)).toEqual([...details.map((detail) => detail.toWellFormed()), undefined]);
  expect(written[50]).toEqual({
    time: new Date(new ManualClock().wallMs()).toISOString(),
    action: 'delete',
    who: 'local',
    from: null,
    recordingId: 'r',
  });
});

test('it goes on in a new file when the old one has been moved away', async () => {
  const directory = await temporaryDirectory();
  const audit = new AuditFile(directory, new ManualClock());
  await audit.write({ action: 'login', who: 'a', from: null });
  await rename(join(directory, 'audit.jsonl'), join(directory, 'audit.1'));
  await audit.write({ action: 'logout', who: 'a', from: null });
  expect((await lines(join(directory, 'audit.jsonl'))).map((line) => line.action)).toEqual(['logout']);
});

test('what cannot be written rejects, and the next one is tried again', async () => {
  const directory = await temporaryDirectory();
  const audit = new AuditFile(join(directory, 'later'), new ManualClock());
  await expect(audit.write({ action: 'play', who: 'a', from: null })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await mkdir(join(directory, 'later'));
  await audit.write({ action: 'play', who: 'b', from: null });
  expect(await lines(join(directory, 'later', 'audit.jsonl'))).toHaveLength(1);
});
