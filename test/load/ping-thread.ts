// Asks a recorder over UDP whether it takes calls, again and again, as proxies do: in a thread of its own, so that the answers
// are timed and not the test. Its far end is pings.ts.
import { createSocket } from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';
import type { PingAnswers } from './pings.ts';

const PING_MS = 100;
const { port } = workerData as { port: number };
const asked: number[] = [];
const answersMs: PingAnswers = {};
const socket = createSocket('udp4');

socket.on('message', (message) => {
  const text = message.toString();
  const [, status] = /^SIP\/2.0 (\d+)/.exec(text) ?? [];
  const [, number] = /^CSeq: (\d+)/im.exec(text) ?? [];
  answersMs[status!] = [...(answersMs[status!] ?? []), performance.now() - asked[Number(number)]!];
});

socket.bind(0, '127.0.0.1', () => {
  setInterval(() => {
    const number = asked.push(performance.now()) - 1;
    const via = `127.0.0.1:${socket.address().port};branch=z9hG4bK-ping-${number}`;
    const head = `OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP ${via}\r\nMax-Forwards: 70\r\n`;
    const ids = `From: <sip:ping@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ping-${number}\r\n`;
    socket.send(`${head}${ids}CSeq: ${number} OPTIONS\r\nContent-Length: 0\r\n\r\n`, port, '127.0.0.1');
  }, PING_MS);
});

parentPort!.on('message', () => parentPort!.postMessage(answersMs));
