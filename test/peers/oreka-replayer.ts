// Plays FreeSWITCH's mod_oreka: a captured call's datagrams and RTP at their original times, from FreeSWITCH's addresses and ports.
//
// As the module does, RTP leaves from the announced port number and goes to the same number on the recorder's address. Any
// address of 127/8 can be bound on Linux.
import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type CapturedDatagram, readPcap } from '../support/pcap.ts';

export type OrekaCapture = 'normal' | 'ivr' | 'late-callee' | 'mux' | 'api-start-stop' | 'xheaders';
export type OrekaText = 'INVITE RX' | 'INVITE TX' | 'BYE RX' | 'BYE TX';

export interface OrekaReplayPlan {
  capture: OrekaCapture;
  /** The recorder's listener. Its host replaces `c=`: RTP goes there, too. */
  to: { host: string; port: number };
  /** From where the texts leave. */
  sourceHost: string;
  /** From where the RTP leaves: replaces FreeSWITCH's address in the texts (`o=`, Via, From …). */
  mediaHost: string;
  /** Added to every announced port. */
  portOffset?: number;
  /** Default: a new one. */
  callId?: string;
  /** Texts that the network loses, by name. */
  lose?: readonly OrekaText[];
  /** Sent a second time, at once. */
  repeat?: readonly OrekaText[];
  /** Ends the replay early; nothing more is sent then. */
  signal?: AbortSignal;
}

export interface SentPacket {
  /** Unix ms with a fraction. */
  atMs: number;
  payload: Buffer;
}

export interface OrekaReplay {
  callId: string;
  /** RTP packets. With `api-start-stop` those of both parts. */
  sent: { rx: SentPacket[]; tx: SentPacket[] };
  texts: { atMs: number; name: OrekaText; datagram: Buffer }[];
  /** What came back to the texts' socket. */
  answers: Buffer[];
}

/** The addresses in the captures. */
const CAPTURED_FREESWITCH = '127.0.0.40';
const CAPTURED_RECORDER = { host: '127.0.0.1', port: 6000 };

/** Plays the call in real time; resolves when its last datagram has left. Rejects if an address cannot be bound. */
export async function replayOrekaCall(plan: OrekaReplayPlan): Promise<OrekaReplay> {
  const file = new URL(`../fixtures/oreka/${plan.capture}/oreka.pcap`, import.meta.url);
  const datagrams = readPcap(await readFile(fileURLToPath(file)));
  const replay: OrekaReplay = { callId: plan.callId ?? randomUUID(), sent: { rx: [], tx: [] }, texts: [], answers: [] };
  const sides = announcedSides(datagrams);
  const offset = plan.portOffset ?? 0;
  const sockets: Socket[] = [];
  try {
    const textSocket = await bind(sockets, plan.sourceHost, 0);
    textSocket.on('message', (answer) => replay.answers.push(answer));
    const mediaSockets = new Map<number, Socket>();
    for (const port of sides.keys()) mediaSockets.set(port, await bind(sockets, plan.mediaHost, port + offset));

    const beganMs = performance.now();
    const originMs = datagrams[0]!.timeMs;
    for (const { timeMs, destination, payload } of datagrams) {
      const waitMs = beganMs + (timeMs - originMs) - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (plan.signal?.aborted) break;
      const side = sides.get(destination.port);
      if (side) {
        await send(mediaSockets.get(destination.port)!, payload, plan.to.host, destination.port + offset);
        replay.sent[side].push({ atMs: nowMs(), payload });
      } else if (destination.port === CAPTURED_RECORDER.port) {
        const name = nameOf(payload);
        const datagram = rewrite(payload, plan, replay.callId);
        for (let copies = copiesOf(name, plan); copies > 0; copies--) {
          await send(textSocket, datagram, plan.to.host, plan.to.port);
          replay.texts.push({ atMs: nowMs(), name, datagram });
        }
      }
    }
  } finally {
    await Promise.all(sockets.map((socket) => new Promise<void>((closed) => socket.close(() => closed()))));
  }
  return replay;
}

/** Which side each announced port of the capture belongs to. */
function announcedSides(datagrams: readonly CapturedDatagram[]): Map<number, 'rx' | 'tx'> {
  const sides = new Map<number, 'rx' | 'tx'>();
  for (const { destination, payload } of datagrams) {
    if (destination.port !== CAPTURED_RECORDER.port) continue;
    const [, side, port] = /\((RX|TX)\)[\s\S]*m=audio (\d+)/.exec(payload.toString()) ?? [];
    if (side && port) sides.set(Number(port), side === 'RX' ? 'rx' : 'tx');
  }
  return sides;
}

function nameOf(text: Buffer): OrekaText {
  const [, method, side] = /^(INVITE|BYE)[\s\S]*?\r\nSubject: \w+ (RX|TX)/.exec(text.toString()) ?? [];
  if (!method || !side) throw new Error(`not a mod_oreka text: ${text.toString()}`);
  return `${method} ${side}` as OrekaText;
}

function copiesOf(name: OrekaText, { lose = [], repeat = [] }: OrekaReplayPlan): number {
  return lose.includes(name) ? 0 : repeat.includes(name) ? 2 : 1;
}

/** Content-Length stays as it was: it is wrong anyway. */
function rewrite(text: Buffer, { to, mediaHost, portOffset = 0 }: OrekaReplayPlan, callId: string): Buffer {
  const original = text.toString();
  const [, capturedCallId] = /^Call-ID: (\S+)/m.exec(original) ?? [];
  return Buffer.from(
    original
      .replaceAll(CAPTURED_FREESWITCH, mediaHost)
      .replaceAll(capturedCallId ?? '', callId)
      .replace(`c=IN IP4 ${CAPTURED_RECORDER.host}\r\n`, `c=IN IP4 ${to.host}\r\n`)
      .replace(/^m=audio (\d+)/m, (_, port: string) => `m=audio ${Number(port) + portOffset}`),
  );
}

async function bind(sockets: Socket[], host: string, port: number): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  sockets.push(socket);
  await new Promise<void>((bound, failed) => {
    socket.once('error', failed);
    socket.bind(port, host, () => {
      socket.off('error', failed);
      // ICMP errors of a recorder that has gone are no concern of FreeSWITCH.
      socket.on('error', () => {});
      bound();
    });
  });
  return socket;
}

function send(socket: Socket, payload: Buffer, host: string, port: number): Promise<void> {
  return new Promise((sent) => socket.send(payload, port, host, () => sent()));
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
