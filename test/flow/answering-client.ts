// A recording client that waits to be asked (RFC 7866 §6.2): takes an INVITE without SDP, offers two streams, and plays tones.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readAnswer } from '../../src/client/answer.ts';
import { CLIENT_CODECS } from '../../src/client/codec.ts';
import { OFFER_CONTENT_TYPE, type OfferedMedia, writeOffer } from '../../src/client/offer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { closeOnce } from '../../src/lib/close.ts';
import { Digest } from '../../src/siprec/access/digest.ts';
import { Nonces } from '../../src/siprec/access/nonces.ts';
import { ToneSender } from '../load/tone-sender.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';

/** `asks`: who we are, before every request but ACK; willing then. */
export type Manner = 'willing' | 'asks' | 'refuses' | 'offers nothing';

const REALM = 'src.example';

export class AnsweringClient {
  /** First lines of what came, in order. */
  readonly received: string[] = [];
  readonly #manner: Manner;
  readonly #socket: Socket;
  readonly #sender = new ToneSender();
  readonly #waiting = new Set<() => void>();
  readonly #digest = new Digest({
    realm: REALM,
    users: { recorder: 's3cret' },
    nonces: new Nonces({ clock: systemClock, realm: REALM, lifeMs: 60_000 }),
  });
  #invite = '';
  #cseq = 1;

  private constructor(manner: Manner, socket: Socket) {
    this.#manner = manner;
    this.#socket = socket;
    socket.on('message', (octets, from) => {
      const message = octets.toString();
      this.received.push(message.split('\r\n')[0]!);
      this.#hear(message, from.port);
      for (const look of this.#waiting) look();
    });
  }

  static async open(manner: Manner): Promise<AnsweringClient> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const client = new AnsweringClient(manner, socket);
    whenTestEnds(() => client.close());
    return client;
  }

  get uri(): string {
    return `sip:127.0.0.1:${this.#socket.address().port}`;
  }

  /** The INVITE as it came. */
  get invite(): string {
    return this.#invite;
  }

  bye(): Promise<void> {
    return this.#ask('BYE');
  }

  /** Both streams, as `inactive` or `sendonly`. Resolves with the 200. */
  async reinvite(direction: OfferedMedia['direction'], callee: string): Promise<void> {
    await this.#ask('INVITE', this.#offer(direction, callee));
  }

  /** Resolves when such a first line has come. */
  async until(start: RegExp): Promise<void> {
    while (!this.received.some((line) => start.test(line)))
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
  }

  /** Says nothing any more, on no port. */
  readonly close = closeOnce(async () => {
    this.#sender.close();
    this.#socket.close();
  });

  #hear(message: string, port: number): void {
    if (this.#manner === 'asks' && /^(INVITE|BYE) /.test(message) && !this.#isKnown(message)) {
      const challenges = this.#digest.challenge(false).map((value) => `WWW-Authenticate: ${value}`);
      this.#send(port, ['SIP/2.0 401 Unauthorized', ...echo(message), ...challenges]);
    } else if (message.startsWith('INVITE ')) {
      this.#invite = message;
      this.#answer(message, port);
    } else if (message.startsWith('ACK ')) this.#talk(message);
    else if (message.startsWith('BYE ')) {
      this.#sender.end(0);
      this.#send(port, ['SIP/2.0 200 OK', ...echo(message)]);
    }
  }

  #isKnown(message: string): boolean {
    const authorization = /^Authorization: (.*)$/im.exec(message)?.[1]?.trim();
    return this.#digest.verify(message.split(' ')[0]!, authorization ? [authorization] : []).right;
  }

  #answer(invite: string, port: number): void {
    const lines = ['SIP/2.0 200 OK', ...echo(invite), `Contact: <${this.uri}>;+sip.src`, 'Accept: application/sdp'];
    if (this.#manner === 'refuses') this.#send(port, ['SIP/2.0 603 Decline', ...echo(invite)]);
    else if (this.#manner === 'offers nothing') this.#send(port, lines);
    else this.#send(port, [...lines, `Content-Type: ${OFFER_CONTENT_TYPE}`], this.#offer('sendonly', 'Bob'));
  }

  #talk(ack: string): void {
    const reading = readAnswer(ack.slice(ack.indexOf('\r\n\r\n') + 4), ['0', '1']);
    if (!reading.ok) return;
    const [left, right] = reading.streams.map(({ destination }) => destination);
    if (left && right) this.#sender.talk(0, { host: left.host, ports: [left.rtpPort, right.rtpPort] });
  }

  #offer(direction: OfferedMedia['direction'], callee: string): string {
    const media = ['0', '1'].map((label) => ({ label, port: 9, codec: CLIENT_CODECS.pcmu, direction }));
    return writeOffer(
      { host: '127.0.0.1', originId: 1, originVersion: this.#cseq, media },
      {
        sessionId: `cs-${this.#socket.address().port}`,
        sipSessionId: `call-${this.#socket.address().port}@src`,
        groupId: null,
        parties: [
          { participantId: 'a', aor: 'sip:alice@example.com', name: 'Alice' },
          { participantId: 'b', aor: 'sip:bob@example.com', name: callee },
        ],
        streams: ['0', '1'].map((label, sender) => ({ streamId: `stream-${label}`, label, sender })),
        associateMs: Date.now(),
      },
    );
  }

  /** Inside the dialog that the INVITE began: what was From is To now. */
  async #ask(method: 'BYE' | 'INVITE', body = ''): Promise<void> {
    const value = (name: string) => new RegExp(`^${name}: *(.*)$`, 'im').exec(this.#invite)?.[1] ?? '';
    const target = /<([^>]+)>/.exec(value('Contact'))![1]!;
    const cseq = ++this.#cseq;
    const lines = (verb: string) => [
      `${verb} ${target} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#socket.address().port};branch=z9hG4bK${verb}${cseq}`,
      'Max-Forwards: 70',
      `From: ${value('To')};tag=src`,
      `To: ${value('From')}`,
      `Call-ID: ${value('Call-ID')}`,
      `CSeq: ${cseq} ${verb}`,
      `Contact: <${this.uri}>;+sip.src`,
    ];
    const port = Number(/:(\d+)/.exec(target.replace(/^sip:[^@]*@/, ''))?.[1]);
    this.received.length = 0;
    this.#send(port, [...lines(method), ...(body === '' ? [] : [`Content-Type: ${OFFER_CONTENT_TYPE}`])], body);
    await this.until(/^SIP\/2\.0 200/);
    if (method === 'INVITE') this.#send(port, lines('ACK'));
  }

  #send(port: number, lines: string[], body = ''): void {
    const text = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
    this.#socket.send(text, port, '127.0.0.1');
  }
}

function echo(request: string): string[] {
  const lines = request.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq|record-route):/i.test(line));
  return lines.map((line) => (/^to:/i.test(line) && !/;tag=/.test(line) ? `${line};tag=src` : line));
}
