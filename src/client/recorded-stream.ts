// One party's media in a recording session: decides from both sides' wishes whether packets flow, and where to.
import type { Clock } from '../lib/clock.ts';
import type { AnsweredStream } from './answer.ts';
import type { StreamOutcome } from './call-plan.ts';
import type { MediaProtection } from './media-protection.ts';
import { MediaSocket } from './media-socket.ts';
import type { MediaTicker } from './media-ticker.ts';
import type { OfferedMedia } from './offer.ts';
import { type Impairment, type PacketSink, RtpSender } from './rtp-sender.ts';
import type { RtpStream } from './rtp-stream.ts';

export interface RecordedStreamOptions {
  label: string;
  stream: RtpStream;
  localHost: string;
  clock: Clock;
  ticker: MediaTicker;
  impairment: Impairment | null;
  reportIntervalMs: number | null;
  /** Null: plain RTP. */
  protection: MediaProtection | null;
}

export class RecordedStream implements PacketSink {
  readonly label: string;
  readonly #options: RecordedStreamOptions;
  readonly #sender: RtpSender;
  readonly #offeredPort: number;
  #socket: MediaSocket;
  #earlierSendErrors = 0;
  #held = false;
  #closed = false;

  /** Binds the stream's sockets. */
  static async open(options: RecordedStreamOptions): Promise<RecordedStream> {
    return new RecordedStream(options, await MediaSocket.open(options.localHost));
  }

  private constructor(options: RecordedStreamOptions, socket: MediaSocket) {
    this.label = options.label;
    this.#options = options;
    this.#socket = socket;
    this.#offeredPort = socket.port;
    this.#sender = new RtpSender({ ...options, sink: this });
  }

  get protection(): MediaProtection | null {
    return this.#options.protection;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The port stays as first offered even when a resume has moved the socket: so does OpenSIPS. */
  get offered(): OfferedMedia {
    const { label, stream, protection } = this.#options;
    const direction = this.#held ? 'inactive' : 'sendonly';
    const media: OfferedMedia = { label, port: this.#offeredPort, codec: stream.codec, direction };
    return protection ? { ...media, protocol: protection.protocol, crypto: protection.crypto } : media;
  }

  get outcome(): StreamOutcome {
    const { packetsSent, packetsWithheld, packetsSkipped, startedMs } = this.#sender;
    const sendErrors = this.#earlierSendErrors + this.#socket.sendErrors;
    const { ssrc } = this.#options.stream;
    return { label: this.label, packetsSent, packetsWithheld, packetsSkipped, sendErrors, startedMs, ssrc };
  }

  sendRtp(packet: Uint8Array): void {
    const { protection } = this.#options;
    const octets = protection ? protection.protectRtp(packet) : packet;
    if (octets) this.#socket.sendRtp(octets);
  }

  sendRtcp(packet: Uint8Array): void {
    const { protection } = this.#options;
    const octets = protection ? protection.protectRtcp(packet) : packet;
    if (octets) this.#socket.sendRtcp(octets);
  }

  /** Follows an answer: starts, resumes, moves or pauses. Streams with the same `beganMs` stay aligned. */
  async follow(answer: AnsweredStream, beganMs: number): Promise<void> {
    const { destination } = answer;
    if (this.#closed) return;
    if (destination === null || this.#held) {
      this.#sender.pause();
      return;
    }
    const now = this.#socket.destination;
    const same = now?.host === destination.host && now.rtpPort === destination.rtpPort;
    if (!same || now.rtcpPort !== destination.rtcpPort) await this.#socket.aim(destination);
    // The stream may have been held or closed while a name was resolved.
    if (this.#closed || this.#held) return;
    this.#sender.start(beganMs);
    this.#sender.resume();
  }

  /** Stops the packets at once; the re-INVITE that says so is the session's business. */
  hold(): void {
    this.#held = true;
    this.#sender.pause();
  }

  /** Leaves hold with new sockets, as rtpproxy does: same SSRC, new source port. Packets flow after the next `follow`. */
  async unhold(): Promise<void> {
    if (!this.#held) return;
    const fresh = await MediaSocket.open(this.#options.localHost);
    const former = this.#socket;
    if (this.#closed) return fresh.close();
    this.#socket = fresh;
    this.#earlierSendErrors += former.sendErrors;
    this.#held = false;
    await former.close();
  }

  playDtmf(digits: string): { durationMs: number } {
    return this.#sender.playDtmf(digits);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sender.stop();
    await this.#socket.close();
  }
}
