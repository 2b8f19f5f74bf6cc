import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkAccess } from '../../src/commands/doctor-access.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { configSchema } from '../../src/config/schema.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const verdicts = (input: ConfigInput) => checkAccess(configSchema.parse(input)).map(({ verdict }) => verdict);
const ANYBODY = ['0.0.0.0/0', '::/0'];
const PUBLIC = { listen: ['udp:0.0.0.0:5060'] };

test.each<[string, ConfigInput, string[]]>([
  ['as it comes', {}, ['ok', 'ok']],
  ['everybody on a public listener', { sip: PUBLIC, access: { sources: ANYBODY } }, ['warn']],
  ['half of the Internet too', { sip: PUBLIC, access: { sources: ['0.0.0.0/1'] } }, ['warn']],
  ['everybody on a private address', { sip: { listen: ['udp:10.0.0.5:5060'] }, access: { sources: ANYBODY } }, ['ok']],
  ['everybody with digest', { sip: PUBLIC, access: { sources: ANYBODY, digest: true, users: { a: 'b' } } }, ['ok']],
  [
    'one listener of two',
    {
      sip: { listen: ['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'] },
      access: { listeners: [{ listen: 'tcp:0.0.0.0:5060', sources: ['::/0'] }] },
    },
    ['ok', 'warn'],
  ],
  [
    'everybody with a client certificate',
    {
      sip: { listen: ['tls:0.0.0.0:5061'] },
      tls: { certificateFile: 'a', keyFile: 'b', authoritiesFile: 'c', clientCertificates: 'require' },
      access: { sources: ANYBODY },
    },
    ['ok'],
  ],
  ['a drachtio server', { drachtio: { address: 'd:9022', secret: 's' }, access: { sources: ANYBODY } }, ['warn']],
])('%s', (_, input, expected) => {
  expect(verdicts(input)).toEqual(expected);
});

test('a file of secrets that everybody can read', async () => {
  const usersFile = join(await temporaryDirectory(), 'users');
  await writeFile(usersFile, 'sbc:secret\n');
  await chmod(usersFile, 0o644);
  expect(verdicts({ access: { usersFile } }).at(-1)).toBe('warn');
  await chmod(usersFile, 0o600);
  expect(verdicts({ access: { usersFile } }).at(-1)).toBe('ok');
});
