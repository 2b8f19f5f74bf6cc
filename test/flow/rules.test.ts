// Rules in the running recorder: what the client is told, and what is on disk afterwards.
import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';

const RULES = `
rules:
  list:
    - { when: { caller: private }, do: decline, status: 403, because: not recorded }
    - { when: { header: { name: X-Consent, value: "no" } }, do: discard, because: no consent }
    - { when: { caller: alice }, do: record, keepDays: 30, tags: [sales], name: "sales-{caller}-{id}" }
`;

test('declined, discarded and recorded calls', async () => {
  const data = await temporaryDirectory();
  const config = join(await temporaryDirectory(), 'sipreel.yaml');
  await writeFile(config, RULES);
  const server = recordHere(data, '--config', config);
  const client = await testClient();
  const call = toneCall(await server.sipPort('udp'));
  const [, bob] = call.parties;

  const secret = { ...call, parties: [{ ...call.parties[0]!, aor: 'sip:private@example.com' }, bob!] };
  await expect(client.connect(secret)).rejects.toMatchObject({ ended: 'refused', response: { status: 403 } });

  const objecting = await client.connect({ ...call, headers: { 'X-Consent': 'no' } });
  expect(objecting.answer.map(({ destination }) => destination)).toEqual([null, null]);
  const consenting = await client.connect({ ...call, headers: { 'X-Consent': 'yes' } });
  await sleep(600);
  await Promise.all([objecting.bye(), consenting.bye()]);

  const [filed, ...others] = await filedRecordings(data, 1);
  expect(await server.line('a call was discarded by a rule')).toMatchObject({
    rule: 2,
    because: 'no consent',
    discarded: 1,
  });
  expect(others).toEqual([]);
  expect(filed!.document).toMatchObject({
    call: { sipCallId: consenting.callId },
    rule: { number: 3 },
    retention: { keepDays: 30 },
    tags: ['sales'],
  });
  expect(basename(filed!.directory)).toBe(`sales-alice-${filed!.document.id.slice(0, 8)}`);
  expect(await readdir(join(data, 'spool'))).toEqual([]);
});
