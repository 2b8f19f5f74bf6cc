// The examples, run as a reader would run them: as programs, with what they print and what they do about it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { on, once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The Node that the repository pins; the machine's own may be older. */
const node = join(root, 'node_modules/.bin/node');
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

interface Program {
  child: ChildProcess;
  /** Both outputs so far. */
  output(): string;
  /** Waits until the output matches; fails with the output when the program ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code. */
  ends(): Promise<number | null>;
}

function run(...args: string[]): Program {
  const child = spawn(node, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  return {
    child,
    output: () => output,
    ends: () => ended,
    async says(pattern) {
      for (;;) {
        const match = pattern.exec(output);
        if (match) return match;
        if (over) throw new Error(`ended without ${pattern}:\n${output}`);
        const heard = [once(child.stdout, 'data'), once(child.stderr, 'data'), ended];
        await Promise.race(heard.map((event) => event.catch(() => {})));
      }
    },
  };
}

const example = (name: string, ...args: string[]) => run('--conditions=sipreel-source', `examples/${name}`, ...args);

describe('notify-on-recording.ts', () => {
  test('prints a line for a recording and hands its WAV to the command, without a shell', async () => {
    const directory = await temporaryDirectory();
    const config = join(directory, 'config.yaml');
    writeFileSync(config, 'rtp: { bindAddress: 127.0.0.1, workers: 1, restSeconds: 0 }\noreka: { listen: [] }\n');
    const data = join(directory, 'data');
    const dangerous = `$(touch ${directory}/shell); "`;
    const tellArguments = 'console.log("COMMAND", JSON.stringify(process.argv.slice(1)))';
    const listen = ['--sip', 'udp:127.0.0.1:0', '--config', config, '--data', data];
    const command = [node, '-e', tellArguments, dangerous];
    const recorder = example('notify-on-recording.ts', ...listen, '--', ...command);
    const [, address] = await recorder.says(/^ready on udp:(\S+)$/m);

    const parties = ['--from', 'Ada Lovelace', '--to', 'Charles Babbage'];
    const caller = run('src/cli.ts', 'call', `sip:${address}`, '--seconds', '1.5', '--audio', 'tones', ...parties);
    expect([await caller.ends(), caller.output()]).toEqual([0, expect.any(String)]);

    const [, start, seconds, from, to, recording] = await recorder.says(/^(\S+Z) (\S+) s (.+) > (.+) (\/\S+)$/m);
    expect(Math.abs(Date.now() - Date.parse(start!))).toBeLessThan(20_000);
    expect(Number(seconds)).toBeGreaterThan(1.3);
    expect(Number(seconds)).toBeLessThan(1.8);
    expect([from, to]).toEqual(['Ada Lovelace', 'Charles Babbage']);
    expect(recording!.startsWith(join(data, 'recordings'))).toBe(true);

    const [, json] = await recorder.says(/^COMMAND (.+)$/m);
    expect(JSON.parse(json!)).toEqual([dangerous, join(recording!, 'audio.wav')]);
    expect(readFileSync(join(recording!, 'audio.wav')).toString('latin1', 0, 4)).toBe('RIFF');
    expect(existsSync(join(directory, 'shell'))).toBe(false);

    recorder.child.kill('SIGTERM');
    expect(await recorder.ends()).toBe(0);
  });

  test('says what is wrong with its arguments', async () => {
    const recorder = example(
      'notify-on-recording.ts',
      '--sip',
      'sctp:127.0.0.1:0',
      '--data',
      await temporaryDirectory(),
    );
    expect(await recorder.ends()).toBe(1);
    expect(recorder.output()).toContain('sip.listen.0: must be udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT');
  });
});

describe('embedded-sip-server.ts', () => {
  test('an INVITE over UDP reaches the drachtio-srf application, whose 302 goes back', async () => {
    const server = example('embedded-sip-server.ts', 'udp:127.0.0.1:0', 'sip.example.net');
    const [, port] = await server.says(/^ready on udp:127\.0\.0\.1:(\d+)$/m);
    const answers = await ask(Number(port), 'INVITE', 'sip:bob@example.com');
    const moved = answers.find((answer) => answer.startsWith('SIP/2.0 302 '))!;
    expect(moved).toMatch(/^Contact: <sip:bob@sip\.example\.net>\r$/m);
    await server.says(/^alice calls bob$/m);

    const [first] = await ask(Number(port), 'OPTIONS', 'sip:127.0.0.1');
    expect(first).toMatch(/^SIP\/2\.0 200 OK\r\n/);

    server.child.kill('SIGTERM');
    expect(await server.ends()).toBe(0);
    expect(server.output()).not.toMatch(/error/i);
  });
});

test('README.md names every example, and the commands in its header are the file itself', () => {
  const readme = readFileSync(join(root, 'examples/README.md'), 'utf8');
  const named = [...readme.matchAll(/\]\((\S+\.ts)\)/g)].map((match) => match[1]!);
  expect(named).toEqual(['notify-on-recording.ts', 'embedded-sip-server.ts']);
  for (const name of named) {
    const text = readFileSync(join(root, 'examples', name), 'utf8');
    expect(text).toContain(`node --conditions=sipreel-source examples/${name}`);
    expect(text.split('\n').length).toBeLessThan(80);
  }
});

/** The answers to one request from 127.0.0.1, up to the final one; a negative answer to an INVITE gets its ACK. */
async function ask(port: number, method: string, uri: string): Promise<string[]> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const via = `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${method}`;
  const send = (verb: string, to: string) => {
    const lines = [
      `${verb} ${uri} SIP/2.0`,
      via,
      `From: <sip:alice@example.com>;tag=${method}`,
      to,
      `Call-ID: ${method}@test`,
      `CSeq: 1 ${verb}`,
      'Contact: <sip:alice@127.0.0.1>',
      'Max-Forwards: 70',
      'Content-Length: 0',
    ];
    socket.send(`${lines.join('\r\n')}\r\n\r\n`, port, '127.0.0.1');
  };
  const answers: string[] = [];
  send(method, `To: <${uri}>`);
  for await (const [message] of on(socket, 'message') as AsyncIterable<[Buffer]>) {
    const answer = message.toString('utf8');
    answers.push(answer);
    if (answer.startsWith('SIP/2.0 1')) continue;
    if (method === 'INVITE') send('ACK', /^To: .*$/m.exec(answer)![0].trim());
    break;
  }
  socket.close();
  return answers;
}
