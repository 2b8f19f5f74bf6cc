// The FreeSWITCH examples: well-formed, and made of what the module and FreeSWITCH really have.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { connectEventSocket } from '../../src/oreka/event-socket.ts';
import { EventSocketServer } from '../peers/event-socket-server.ts';

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../examples/freeswitch/${name}`, import.meta.url)), 'utf8');
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  isArray: (_name, _path, _isLeaf, isAttribute) => !isAttribute,
});

/** Every element of that name, wherever it stands. */
function elements(node: unknown, name: string): Record<string, string>[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    key === name ? (value as Record<string, string>[]) : elements(value, name),
  );
}

test.each(['oreka.conf.xml', 'dialplan.xml'])('%s is well-formed', (name) => {
  expect(XMLValidator.validate(read(name))).toBe(true);
});

test('oreka.conf.xml has the two settings that the module needs, and not mux-all-streams', () => {
  const params = elements(parser.parse(read('oreka.conf.xml')), 'param');
  expect(params.map((param) => param.name)).toEqual(['sip-server-addr', 'sip-server-port']);
});

describe('dialplan.xml', () => {
  const actions = elements(parser.parse(read('dialplan.xml')), 'action');
  const dataOf = (application: string) =>
    actions.filter((action) => action.application === application).map((action) => action.data);

  test('runs only these applications', () => {
    expect([...new Set(actions.map((action) => action.application))].sort()).toEqual([
      'answer',
      'bind_meta_app',
      'hangup',
      'oreka_record',
      'playback',
      'set',
    ]);
  });

  test('oreka_record takes nothing or "stop": anything else would start it', () => {
    expect(dataOf('oreka_record')).toEqual([undefined]);
    expect(dataOf('bind_meta_app')).toEqual(['1 a s oreka_record::', '2 a s oreka_record::stop']);
  });

  test('sets only these variables, headers before the start', () => {
    expect(dataOf('set')).toEqual([
      'oreka_sip_h_X-Tenant=example',
      `oreka_sip_h_X-Account=$\{accountcode}`,
      'execute_on_answer=oreka_record',
      'execute_on_answer=oreka_record',
    ]);
  });

  test('extensions that do not end the call let the dialplan go on', () => {
    const extensions = elements(parser.parse(read('dialplan.xml')), 'extension');
    expect(extensions.map((extension) => [extension.name, extension.continue ?? 'false'])).toEqual([
      ['record_extensions', 'true'],
      ['record_chosen_users', 'true'],
      ['record_by_key', 'true'],
      ['record_menu', 'false'],
    ]);
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  test('gives the commands that the event socket client sends', async () => {
    const server = new EventSocketServer({ password: 'ClueCon', answer: () => '+OK\n' });
    const port = await server.listen();
    const options = { host: '127.0.0.1', port, password: 'ClueCon', log: silentLog, timeoutMs: 2_000 };
    const socket = await connectEventSocket(options);
    const uuid = '7b0cc546-5298-4886-aabc-78199ff02f34';
    await socket.startRecording(uuid);
    await socket.stopRecording(uuid);
    await socket.close();
    const sent = server.commands.slice(0, 2).map((command) => command.replace('api ', '').replace(uuid, '<uuid>'));
    await server.close();
    const given = [...readme.matchAll(/fs_cli -x '(uuid_broadcast [^']+)'/g)].map((match) => match[1]);
    expect(given).toEqual(sent);
  });

  test('names the files beside it', () => {
    const linked = [...readme.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1]!);
    expect(linked).toEqual(['oreka.conf.xml', 'dialplan.xml']);
    for (const name of linked) expect(read(name)).not.toBe('');
  });
});
