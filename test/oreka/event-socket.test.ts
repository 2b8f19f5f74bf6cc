import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { connectEventSocket, type EventSocket, type EventSocketOptions } from '../../src/oreka/event-socket.ts';
import { EventSocketServer, type EventSocketServerOptions } from '../peers/event-socket-server.ts';

const PASSWORD = 'Clue & Con: 100%';
const UUID = '7b0cc546-5298-4886-aabc-78199ff02f34';
const CHANNELS = {
  row_count: 2,
  rows: [
    {
      uuid: UUID,
      direction: 'inbound',
      created: '2026-01-01 10:00:00',
      created_epoch: '1767261600',
      name: 'sofia/internal/2001@127.0.0.40',
      state: 'CS_EXECUTE',
      cid_name: 'Alice "A" Müller',
      cid_num: '2001',
      dest: '1002',
      callstate: 'ACTIVE',
    },
    { uuid: '1', state: 'CS_ROUTING' },
  ],
};

let server: EventSocketServer | null;
let opened: EventSocket[];
let logged: unknown[];
let port: number;

beforeEach(() => {
  opened = [];
  logged = [];
});

afterEach(async () => {
  for (const socket of opened) await socket.close();
  await server?.close();
  server = null;
});

async function serve(options: Partial<EventSocketServerOptions> = {}): Promise<void> {
  server = new EventSocketServer({ password: PASSWORD, ...options });
  port = await server.listen();
}

async function connect(options: Partial<EventSocketOptions> = {}): Promise<EventSocket> {
  const log = {
    ...silentLog,
    warn: (...line: unknown[]) => logged.push(line),
    error: (...line: unknown[]) => logged.push(line),
  };
  const socket = await connectEventSocket({
    host: '127.0.0.1',
    port,
    password: PASSWORD,
    log,
    timeoutMs: 2_000,
    ...options,
  });
  opened.push(socket);
  return socket;
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );
/** `answer` as a table. */
const table = (answers: Record<string, string>) => (command: string) => answers[command] ?? '-ERR no such command\n';

describe('commands', () => {
  test('listCalls', async () => {
    await serve({ answer: table({ 'show channels as json': JSON.stringify(CHANNELS) }) });
    expect(await (await connect()).listCalls()).toEqual([
      {
        uuid: UUID,
        created: '2026-01-01T10:00:00.000Z',
        direction: 'inbound',
        callerNumber: '2001',
        callerName: 'Alice "A" Müller',
        destination: '1002',
        state: 'ACTIVE',
      },
      {
        uuid: '1',
        created: null,
        direction: '',
        callerNumber: '',
        callerName: '',
        destination: '',
        state: 'CS_ROUTING',
      },
    ]);
  });

  test('listCalls without calls, and with nonsense', async () => {
    const answers = ['{"row_count":0}', '{"rows":5}', '{"rows":[null,1]}', 'total: 0', ''];
    await serve({ answer: () => answers.shift() ?? '' });
    const socket = await connect();
    for (let n = 0; n < 3; n++) expect(await socket.listCalls()).toEqual([]);
    expect(await failure(socket.listCalls())).toBe('FreeSWITCH did not answer `show channels as json` with JSON.');
  });

  test('an answer of a megabyte in many pieces', async () => {
    const rows = Array.from({ length: 3_000 }, (_, n) => ({ uuid: `${n}`, dest: 'ü'.repeat(150) }));
    await serve({ answer: () => JSON.stringify({ rows }), chunkOctets: 50_000 });
    expect(await (await connect()).listCalls()).toHaveLength(3_000);
  });

  test('startRecording and stopRecording', async () => {
    await serve({ answer: () => '+OK Message sent\n' });
    const socket = await connect();
    await socket.startRecording(UUID);
    await socket.stopRecording(UUID);
    expect(server?.commands).toEqual([
      `api uuid_broadcast ${UUID} oreka_record:: aleg`,
      `api uuid_broadcast ${UUID} oreka_record::stop aleg`,
    ]);
  });

  test('commands at once keep their answers apart', async () => {
    await serve({ answer: (command) => (command.includes('::stop') ? '-ERR not now\n' : '+OK\n') });
    const socket = await connect();
    const results = await Promise.all([
      failure(socket.startRecording(UUID)),
      failure(socket.stopRecording(UUID)),
      failure(socket.startRecording(UUID)),
    ]);
    expect(results).toEqual(['no failure', 'FreeSWITCH refused: -ERR not now.', 'no failure']);
  });

  test.each(['', 'all', `${UUID} `, `${UUID}\n\napi shutdown`, `${UUID} x`, UUID.slice(1)])(
    'a UUID that is none reaches no command: %j',
    async (uuid) => {
      await serve();
      const socket = await connect();
      expect(await failure(socket.startRecording(uuid))).toBe('This is not the UUID of a FreeSWITCH channel.');
      expect(await failure(socket.stopRecording(uuid))).toBe('This is not the UUID of a FreeSWITCH channel.');
      expect(server?.commands).toEqual([]);
    },
  );

  test('no such channel', async () => {
    await serve({ answer: () => "-ERR Can't find channel\n" });
    expect(await failure((await connect()).startRecording(UUID))).toBe("FreeSWITCH refused: -ERR Can't find channel.");
  });
});

describe('what goes wrong on the way', () => {
  const prefix = () => `FreeSWITCH's event socket at 127.0.0.1:${port} cannot be used:`;

  test('nobody listens', async () => {
    await serve();
    await server?.close();
    server = null;
    expect(await failure(connect())).toBe(`${prefix()} connect ECONNREFUSED 127.0.0.1:${port}.`);
  });

  test('the password is wrong: it is not told, not tried again', async () => {
    await serve();
    const message = await failure(connect({ password: 'guess' }));
    expect(message).toBe(`${prefix()} FreeSWITCH refused the password.`);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([server?.connections, JSON.stringify(logged)]).toEqual([1, '[]']);
  });

  test('the address is refused', async () => {
    const text = 'Access Denied, go away.\n';
    await serve({ greeting: `Content-Type: text/rude-rejection\nContent-Length: ${text.length}\n\n${text}` });
    expect(await failure(connect())).toBe(
      `${prefix()} FreeSWITCH refused this address (event_socket.conf's apply-inbound-acl).`,
    );
  });

  test('it is no event socket at all', async () => {
    await serve({ greeting: 'HTTP/1.1 400 Bad Request\nX: %zz\n\n' });
    expect(await failure(connect())).toBe(`${prefix()} what came is not the event socket protocol.`);
  });

  test('it says nothing', async () => {
    const mute = createServer((socket) => socket.on('error', () => {}).resume());
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    port = (mute.address() as { port: number }).port;
    expect(await failure(connect({ timeoutMs: 50 }))).toBe(`${prefix()} no answer within 50 ms.`);
    mute.close();
    await once(mute, 'close');
  });

  test('a password with a line break would be a command', async () => {
    expect(await failure(connect({ password: 'a\n\napi shutdown' }))).toBe(
      'The event socket password must not contain line breaks.',
    );
  });

  test('a port that is none', async () => {
    expect(await failure(connect({ port: 99_999 }))).toMatch(/^Port should be/);
  });

  test('a command that is not answered; the next one is not given its late answer', async () => {
    const answers: (string | null)[] = [null, '+OK second\n'];
    await serve({ answer: () => answers.shift() ?? null });
    const socket = await connect({ timeoutMs: 100 });
    expect(await failure(socket.startRecording(UUID))).toBe('FreeSWITCH could not be asked: no answer within 100 ms.');
    const second = failure(socket.startRecording(UUID));
    await server?.say('Content-Type: api/response\nContent-Length: 10\n\n-ERR late\n');
    expect(await second).toBe('no failure');
  });

  test('a lost connection rejects what is under way, is told once, and is not made anew', async () => {
    await serve({ answer: () => null });
    const socket = await connect();
    const pending = failure(socket.listCalls());
    await new Promise((resolve) => setTimeout(resolve, 20));
    server?.drop();
    expect(await pending).toBe('FreeSWITCH could not be asked: FreeSWITCH closed the connection.');
    expect(await failure(socket.listCalls())).toBe('FreeSWITCH could not be asked: the connection is closed.');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([socket.isOpen, server?.connections, logged.length]).toEqual([false, 1, 1]);
    expect(JSON.stringify(logged)).not.toContain(PASSWORD);
  });

  test('a malformed escape in mid-connection does not end the process', async () => {
    await serve({ answer: () => '+OK\n' });
    const socket = await connect();
    await server?.say('Content-Type: command/reply\nReply-Text: 100%\n\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(socket.isOpen).toBe(false);
  });

  test('FreeSWITCH shuts down', async () => {
    await serve();
    const socket = await connect();
    await server?.say('Content-Type: text/disconnect-notice\nContent-Length: 4\n\nbye\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(socket.isOpen).toBe(false);
  });

  test('close says goodbye, rejects what is under way; twice is harmless', async () => {
    await serve({ answer: () => null });
    const socket = await connect();
    const pending = failure(socket.listCalls());
    await Promise.all([socket.close(), socket.close()]);
    expect(await pending).toBe('FreeSWITCH could not be asked: the connection was closed.');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([server?.commands.at(-1), socket.isOpen, logged]).toEqual(['exit', false, []]);
  });
});
