// A recording client of few words: INVITE, ACK and BYE over one UDP socket, cheap enough not to be what is measured.
import { createSocket, type Socket } from 'node:dgram';
import { CLIENT_CODECS } from '../../../src/client/codec.ts';
import { OFFER_CONTENT_TYPE, writeOffer } from '../../../src/client/offer.ts';

/** RFC 3261 §17.1.1.1. */
const T1_MS = 500;
const GIVE_UP_MS = 8_000;
const FIRST_CALLER = 100_000;

export interface Answered {
  /** INVITE sent to 200 received. */
  answerMs: number;
  ports: number[];
  bye(): Promise<void>;
}

export class SipLoad {
  readonly #socket: Socket;
  readonly #to: number;
  readonly #waiting = new Map<string, (response: string) => void>();
  #serial = 0;

  private constructor(socket: Socket, to: number) {
    this.#socket = socket;
    this.#to = to;
    socket.on('message', (octets) => {
      const text = octets.toString('latin1');
      if (text.startsWith('SIP/2.0 1')) return;
      const [, callId = ''] = /^Call-ID: *(.*?)\r?$/im.exec(text) ?? [];
      const [, method = ''] = /^CSeq: *\d+ +(\w+)/im.exec(text) ?? [];
      this.#waiting.get(`${method} ${callId}`)?.(text);
    });
  }

  static async open(to: number): Promise<SipLoad> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new SipLoad(socket, to);
  }

  close(): void {
    this.#socket.close();
  }

  /** Rejects when the call is refused or not answered. */
  async call(number: number): Promise<Answered> {
    const callId = `${this.#serial++}-${number}@bench`;
    const uri = `sip:127.0.0.1:${this.#to}`;
    const own = this.#socket.address().port;
    const head = (method: string, cseq: number, to: string) =>
      `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${method}${cseq}${callId}\r\nMax-Forwards: 70\r\nFrom: <sip:bench@127.0.0.1>;tag=b${number}\r\nTo: ${to}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq} ${method}\r\nContact: <sip:127.0.0.1:${own}>;+sip.src\r\n`;
    const body = offer(number, callId);
    const invite = `${head('INVITE', 1, `<${uri}>`)}Require: siprec\r\nContent-Type: ${OFFER_CONTENT_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const sentMs = performance.now();
    const answer = await this.#ask(`INVITE ${callId}`, invite);
    const answerMs = performance.now() - sentMs;
    const [, to = `<${uri}>`] = /^To: *(.*?)\r?$/im.exec(answer) ?? [];
    this.#send(`${head('ACK', 1, to)}Content-Length: 0\r\n\r\n`);
    if (!answer.startsWith('SIP/2.0 200')) throw new Error(answer.slice(0, answer.indexOf('\r\n')));
    const ports = [...answer.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
    return {
      answerMs,
      ports,
      bye: async () => {
        const answered = await this.#ask(`BYE ${callId}`, `${head('BYE', 2, to)}Content-Length: 0\r\n\r\n`);
        if (!answered.startsWith('SIP/2.0 200')) throw new Error(answered.slice(0, answered.indexOf('\r\n')));
      },
    };
  }

  #ask(key: string, request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let retransmission: NodeJS.Timeout;
      const over = () => {
        clearTimeout(retransmission);
        clearTimeout(limit);
        this.#waiting.delete(key);
      };
      const again = (afterMs: number) => {
        retransmission = setTimeout(() => {
          this.#send(request);
          again(Math.min(4_000, afterMs * 2));
        }, afterMs);
      };
      const limit = setTimeout(() => {
        over();
        reject(new Error(`${key}: no answer in ${GIVE_UP_MS} ms`));
      }, GIVE_UP_MS);
      this.#waiting.set(key, (response) => {
        over();
        resolve(response);
      });
      this.#send(request);
      again(T1_MS);
    });
  }

  #send(text: string): void {
    this.#socket.send(text, this.#to, '127.0.0.1');
  }
}

/** The caller's AoR holds the call's number, by which its recording is found again. */
export function callerAor(number: number): string {
  return `sip:${FIRST_CALLER + number}@example.com`;
}

/** Null if it is no caller's. */
export function callNumber(aor: string | null): number | null {
  const [, user] = /^sip:(\d{6,})@/.exec(aor ?? '') ?? [];
  return user === undefined ? null : Number(user) - FIRST_CALLER;
}

function offer(number: number, callId: string): string {
  const media = ['0', '1'].map((label, i) => {
    return { label, port: 20_000 + i, codec: CLIENT_CODECS.pcmu, direction: 'sendonly' as const };
  });
  const party = (aor: string, i: number) => ({ participantId: `p${i}${number}`, aor, name: null });
  return writeOffer(
    { host: '127.0.0.1', originId: number, originVersion: 0, media },
    {
      sessionId: `s${number}`,
      sipSessionId: callId,
      groupId: null,
      parties: [party(callerAor(number), 0), party('sip:200@example.com', 1)],
      streams: ['0', '1'].map((label, i) => ({ streamId: `m${i}${number}`, label, sender: i })),
      associateMs: Date.now(),
    },
  );
}
