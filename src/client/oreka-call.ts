// A call as FreeSWITCH's mod_oreka sends it to a recorder: four datagrams that nobody answers, and two streams of µ-law.
import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import type { CallParty } from './call-plan.ts';
import { CLIENT_CODECS } from './codec.ts';
import { encodedLoop } from './encoded-loop.ts';
import { MediaSocket } from './media-socket.ts';
import { MediaTicker } from './media-ticker.ts';
import { orekaBye, orekaInvite } from './oreka-texts.ts';
import { freshRandom } from './random.ts';
import { RtpSender } from './rtp-sender.ts';
import { RtpStream } from './rtp-stream.ts';

export interface OrekaCallPlan {
  /** The recorder's listener, and where its media goes. */
  recorder: { host: string; port: number };
  localHost: string;
  caller: CallParty;
  callee: CallParty;
  durationMs: number;
  /** Ends the call before, with its BYEs. */
  signal?: AbortSignal;
  clock: Clock;
}

export interface OrekaCallOutcome {
  callId: string;
  packetsSent: { rx: number; tx: number };
}

/** FreeSWITCH sends its first packet this long after the text at the earliest (measured). */
const FIRST_PACKET_MS = 4;

/** Resolves when the last datagram has left. Rejects when a socket cannot be had. Ports differ from FreeSWITCH's habit: the source port is not the announced one. */
export async function playOrekaCall(plan: OrekaCallPlan): Promise<OrekaCallOutcome> {
  const { recorder, localHost, caller, callee, clock } = plan;
  const callId = randomUUID();
  const texts = await boundSocket(localHost);
  const ticker = new MediaTicker(clock);
  const streams: { side: 'RX' | 'TX'; socket: MediaSocket; sender: RtpSender }[] = [];
  const send = (text: string) =>
    new Promise<void>((resolve, reject) =>
      texts.send(text, recorder.port, recorder.host, (error) => (error ? reject(error) : resolve())),
    );
  try {
    for (const [side, party] of [
      ['RX', caller],
      ['TX', callee],
    ] as const) {
      const socket = await MediaSocket.open(localHost);
      const stream = new RtpStream(encodedLoop(party.audio, CLIENT_CODECS.pcmu), freshRandom());
      streams.push({
        side,
        socket,
        sender: new RtpSender({ stream, sink: socket, ticker, clock, impairment: null, reportIntervalMs: null }),
      });
      const port = await freePort(recorder.host);
      await socket.aim({ host: recorder.host, rtpPort: port, rtcpPort: port + 1 });
      await send(orekaInvite({ side, callId, localHost, caller, callee }, recorder.host, port));
    }
    await sleep(FIRST_PACKET_MS);
    const beganMs = clock.nowMs();
    for (const { sender } of streams) sender.start(beganMs);
    await sleep(plan.durationMs, undefined, plan.signal ? { signal: plan.signal } : {}).catch(() => {});
    for (const { side, sender } of streams) {
      sender.stop();
      await send(orekaBye({ side, callId, localHost, caller, callee }));
    }
    const [rx, tx] = streams.map(({ sender }) => sender.packetsSent);
    return { callId, packetsSent: { rx: rx ?? 0, tx: tx ?? 0 } };
  } finally {
    for (const { sender, socket } of streams) {
      sender.stop();
      await socket.close();
    }
    await new Promise<void>((resolve) => texts.close(() => resolve()));
  }
}

/** A port that the recorder can bind, as far as we can tell: free now. */
async function freePort(host: string): Promise<number> {
  const probe = await boundSocket(host);
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

function boundSocket(host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', reject);
    socket.bind(0, host, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
