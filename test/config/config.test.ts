import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatHostPort, parseHostPort, parsePortRange, parseSipListener } from '../../src/config/addresses.ts';
import { describeSettings, printConfig } from '../../src/config/describe.ts';
import { loadConfig } from '../../src/config/load.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const mistakesOf = (overrides: object): string[] => {
  try {
    loadConfig({ overrides });
    return [];
  } catch (error) {
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
};

describe('addresses', () => {
  test.each([
    ['udp:0.0.0.0:5060', { transport: 'udp', host: '0.0.0.0', port: 5060 }],
    ['TCP:[::1]:0', { transport: 'tcp', host: '::1', port: 0 }],
    ['udp:localhost:5060', null],
    ['0.0.0.0:5060', null],
    ['udp:1.2.3.4', null],
    ['udp:1.2.3.4:70000', null],
    ['sctp:1.2.3.4:5060', null],
  ])('listener %s', (text, expected) => expect(parseSipListener(text)).toEqual(expected));

  test.each([
    ['40000-64999', { first: 40_000, last: 64_999 }],
    ['5-4', null],
    ['0-10', null],
    ['1-70000', null],
    ['4000', null],
  ])('range %s', (text, expected) => expect(parsePortRange(text)).toEqual(expected));

  test('HOST:PORT survives the round trip', () => {
    for (const text of ['example.com:1', '[::1]:65535', '10.0.0.1:0'])
      expect(formatHostPort(parseHostPort(text)!)).toBe(text);
  });

  test('no text makes a reader throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseHostPort(text);
        parseSipListener(text);
        parsePortRange(text);
      }),
    );
  });
});

describe('configuration', () => {
  test('the defaults are valid', () => {
    expect(loadConfig({})).toMatchObject({ data: './data', sip: { answerDelayMs: 10 }, limits: { recordings: 3000 } });
  });

  test('every mistake is told at once, with its place', () => {
    const told = mistakesOf({
      data: '',
      typo: 1,
      sip: { listen: ['udp:nowhere:1'], answerDelay: 5 },
      rtp: { ports: '9-1', restSeconds: -1 },
      storage: { name: '{who}' },
    });
    expect(told).toEqual([
      'data: Too small: expected string to have >=1 characters',
      'sip.listen.0: must be udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT with an IP address',
      'sip.answerDelay: unknown setting',
      'rtp.ports: must be FIRST-LAST with at least four ports between 1 and 65535',
      'rtp.restSeconds: Too small: expected number to be >=0',
      'storage.name: has unknown fields: who',
      'typo: unknown setting',
    ]);
  });

  test.each([
    [{ sip: { listen: ['udp:0.0.0.0:40000'] } }, 'rtp.ports: contains the SIP port 40000 of udp:0.0.0.0:40000'],
    [{ sip: { listen: ['udp:127.0.0.1:5060', 'udp:127.0.0.1:5060'] } }, 'sip.listen: names an address twice'],
    [{ drachtio: { address: '127.0.0.1:9022' } }, 'drachtio.secret: is needed with drachtio.address'],
  ])('contradictions are refused: %j', (overrides, expected) => expect(mistakesOf(overrides)).toEqual([expected]));

  test('command line over environment over file over default', async () => {
    const file = join(await temporaryDirectory(), 'sipreel.yaml');
    await writeFile(
      file,
      'data: /from/file\ndrachtio:\n  address: 10.0.0.1:9022\n  secret: from-file\nlimits: {recordings: 7}\n',
    );
    const config = loadConfig({
      file,
      environment: { SIPREEL_DRACHTIO_SECRET: 'from-environment' },
      overrides: { data: '/from/command-line' },
    });
    expect(config.data).toBe('/from/command-line');
    expect(config.drachtio).toMatchObject({ address: '10.0.0.1:9022', secret: 'from-environment' });
    expect(config.limits.recordings).toBe(7);
  });

  test('a file that is missing, broken or no mapping is named', async () => {
    const directory = await temporaryDirectory();
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, 'a: [1,');
    const list = join(directory, 'list.yaml');
    await writeFile(list, '- 1\n- 2\n');
    for (const file of [join(directory, 'absent.yaml'), broken, list]) {
      expect(() => loadConfig({ file })).toThrow(file);
    }
  });

  test('what is printed can be loaded again, and never shows a secret', async () => {
    const config = loadConfig({
      overrides: { storage: { name: '{id}' }, rtp: { mediaAddress: '192.0.2.1' }, sip: { listen: ['udp:[::1]:5060'] } },
    });
    expect(loadConfig({ overrides: parse(printConfig(config)) })).toEqual(config);
    const secret = loadConfig({ overrides: { drachtio: { address: 'h:1', secret: 'hunter2' } } });
    expect(printConfig(secret)).not.toContain('hunter2');
    const known = loadConfig({ overrides: { sip: { credentials: [{ user: 'recorder', secret: 'hunter5' }] } } });
    expect(known.sip.credentials).toEqual([{ realm: null, user: 'recorder', secret: 'hunter5' }]);
    expect(printConfig(known)).not.toContain('hunter5');
    const masterKey = `a:${Buffer.alloc(32).toString('base64')}`;
    const environment = {
      SIPREEL_MASTER_KEY: masterKey,
      SIPREEL_S3_ACCESS_KEY_ID: 'AKIA',
      SIPREEL_S3_SECRET_ACCESS_KEY: 'hunter3',
    };
    const stored = loadConfig({ environment, overrides: { s3: { bucket: 'calls' } } });
    expect(stored.s3).toMatchObject({ bucket: 'calls', accessKeyId: 'AKIA', secretAccessKey: 'hunter3' });
    expect(stored.encryption.masterKey).toBe(masterKey);
    expect(printConfig(stored)).not.toMatch(/hunter3|AAAA/);
    expect(mistakesOf({ encryption: { masterKey: 'a:secret' } })[0]).not.toContain('secret');
    expect(mistakesOf({ s3: { accessKeyId: 'AKIA' } })).toHaveLength(1);
  });

  test('every setting has a sentence and a default', () => {
    const settings = describeSettings();
    expect(settings.length).toBeGreaterThan(20);
    for (const setting of settings) {
      expect(setting.description, setting.path).toMatch(/^[A-Za-z-].*\.$/);
      expect(setting.default, setting.path).not.toBe(undefined);
    }
  });
});
