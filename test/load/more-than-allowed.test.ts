// More calls than the recorder may take, by SIPp with real media.
import { createSocket } from 'node:dgram';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sippAvailable } from '../peers/captured-call.ts';
import { percentile } from './sipp-calls.ts';
import { full, loadRecorder, report } from './under-load.ts';

const PING_MS = 100;

/** Asks the recorder whether it takes calls, again and again, as proxies do. The times of the answers, by status. */
function pings() {
  const socket = createSocket('udp4');
  const asked: number[] = [];
  const answersMs: Record<string, number[]> = {};
  let timer: NodeJS.Timeout | undefined;
  socket.on('message', (message) => {
    const [, status] = /^SIP\/2.0 (\d+)/.exec(message.toString()) ?? [];
    const [, number] = /^CSeq: (\d+)/im.exec(message.toString()) ?? [];
    answersMs[status!] = [...(answersMs[status!] ?? []), performance.now() - asked[Number(number)]!];
  });
  onTestFinished(() => {
    clearInterval(timer);
    socket.close();
  });
  const begin = (port: number) => {
    socket.bind(0, '127.0.0.1', () => {
      timer = setInterval(() => {
        const number = asked.push(performance.now()) - 1;
        const via = `127.0.0.1:${socket.address().port};branch=z9hG4bK-ping-${number}`;
        const head = `OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP ${via}\r\nMax-Forwards: 70\r\n`;
        const ids = `From: <sip:ping@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ping-${number}\r\n`;
        socket.send(`${head}${ids}CSeq: ${number} OPTIONS\r\nContent-Length: 0\r\n\r\n`, port, '127.0.0.1');
      }, PING_MS);
    });
  };
  return { begin, asked, answersMs };
}

describe.skipIf(!sippAvailable())('more calls than limits.recordings', () => {
  const timeout = full ? 240_000 : 60_000;
  test('exactly the limit is recorded whole, every other refused at once', { timeout }, async () => {
    const [calls, ratePerSecond, pauseMs, limit] = full ? [2_000, 100, 24_000, 200] : [60, 30, 3_500, 10];
    const plan = { scenario: 'plain-call', transport: 'tcp', calls, ratePerSecond, pauseMs } as const;
    const ping = pings();
    const { refusalsMs, refusalsAtRecorderMs, ...result } = await loadRecorder(
      plan,
      `limits: {recordings: ${limit}}\n`,
      ping.begin,
    );

    expect([result.calls.size, refusalsMs.length, refusalsAtRecorderMs.length]).toEqual([
      limit,
      calls - limit,
      calls - limit,
    ]);
    expect(result.faults).toEqual([]);
    // OPTIONS said both in its time.
    expect(Object.keys(ping.answersMs).sort()).toEqual(['200', '503']);
    expect(result.log.filter((line) => line.level === 'error')).toEqual([]);
    // The state changed twice; the refused calls have no line each.
    expect(result.log.filter(({ msg }) => msg.startsWith('new recordings are'))).toHaveLength(2);
    for (const [what, times] of [
      [`${refusalsMs.length} of ${calls} calls refused, as SIPp saw it`, refusalsMs],
      ['the same at the recorder', refusalsAtRecorderMs],
      [
        'OPTIONS answered',
        Object.values(ping.answersMs)
          .flat()
          .sort((a, b) => a - b),
      ],
    ] as const) {
      const [p50, p99, longest] = [50, 99, 100].map((percent) => percentile(times, percent).toFixed(1));
      report(`${what}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
      // Only where the machine is this test's alone.
      if (full) expect(times.at(-1)).toBeLessThan(100);
    }
  });
});
