// Goes through a journal and hands out the RTP packets of the job's streams, in the order of the file.
import { undecryptedInterface } from '../journal/pcapng.ts';
import { JournalReader } from '../journal/reader.ts';
import { classifyDatagram } from '../rtp/classify.ts';
import { RtpHeader, readRtpHeader } from '../rtp/packet.ts';
import { ArrivalClock } from './arrival-clock.ts';

/** Whether the job is to stop is asked every so many packets. */
const CHECK_EVERY = 4096;

/** Thrown out of a pass when the job is to stop. */
export class RenderAborted extends Error {
  override readonly name = 'RenderAborted';
  constructor() {
    super('The render was aborted.');
  }
}

/** After `next()` returned true the fields describe one packet until the next call. */
export class JournalWalk implements Disposable {
  readonly header = new RtpHeader();
  /** Position in the list of stream ids. */
  stream = 0;
  /** Arrival in Unix ms, as recorded, and on the line that counts from the first packet. */
  unixMs = 0;
  arrivalMs = 0;
  readonly rtcpPackets: number[];
  /** SRTP that could not be decrypted, on an interface of its own: counted, never handed out. */
  readonly undecrypted: number[];
  /** Datagrams on a stream's interface that could not be read as RTP, by reason. */
  readonly unreadable: Record<string, number>[];

  readonly #reader: JournalReader;
  readonly #clock = new ArrivalClock();
  readonly #streamIds: readonly string[];
  readonly #isAborted: () => boolean;
  /** By interface number: position of the stream, -1 for others; the same for what was not decrypted. */
  readonly #streamOf: number[] = [];
  readonly #undecryptedOf: number[] = [];
  #untilCheck = CHECK_EVERY;

  /** Throws what opening the file throws. */
  constructor(journalPath: string, streamIds: readonly string[], isAborted: () => boolean) {
    this.#reader = new JournalReader(journalPath);
    this.#streamIds = streamIds;
    this.#isAborted = isAborted;
    this.rtcpPackets = streamIds.map(() => 0);
    this.undecrypted = streamIds.map(() => 0);
    this.unreadable = streamIds.map(() => ({}));
  }

  /** Moves to the next RTP packet. Throws RenderAborted, or what reading the file throws. */
  next(): boolean {
    const reader = this.#reader;
    while (reader.next()) {
      if (--this.#untilCheck === 0) {
        this.#untilCheck = CHECK_EVERY;
        if (this.#isAborted()) throw new RenderAborted();
      }
      const stream = this.#streamOf[reader.interfaceId] ?? this.#learnInterface(reader.interfaceId);
      if (stream < 0) {
        const undecrypted = this.#undecryptedOf[reader.interfaceId]!;
        if (undecrypted >= 0) this.undecrypted[undecrypted]!++;
      }
      if (stream < 0 || reader.protocol !== 'udp') continue;
      if (!this.#isRtp(stream)) continue;
      this.stream = stream;
      this.unixMs = reader.timeMs;
      this.arrivalMs = this.#clock.read(reader.timeMs);
      return true;
    }
    return false;
  }

  get buffer(): Uint8Array {
    return this.#reader.buffer;
  }

  get sourcePort(): number {
    return this.#reader.sourcePort;
  }

  get epochMs(): number | null {
    return this.#clock.epochMs;
  }

  get clockSteps(): number {
    return this.#clock.steps;
  }

  /** Complete after the last `next()`. */
  get truncated(): boolean {
    return this.#reader.truncated;
  }

  get skippedOctets(): number {
    return this.#reader.skippedOctets;
  }

  /** Where the UDP payload begins; the UDP header and the IP addresses stand before it. */
  get datagramStart(): number {
    return this.#reader.payloadStart;
  }

  /** The sender's address as text; made anew with each call. */
  sourceHost(): string {
    return this.#reader.sourceHost();
  }

  close(): void {
    this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #learnInterface(interfaceId: number): number {
    const name = this.#reader.interfaceName;
    const stream = this.#streamIds.indexOf(name);
    this.#streamOf[interfaceId] = stream;
    this.#undecryptedOf[interfaceId] = this.#streamIds.findIndex((streamId) => undecryptedInterface(streamId) === name);
    return stream;
  }

  #isRtp(stream: number): boolean {
    const { buffer, payloadStart, payloadEnd } = this.#reader;
    const kind = classifyDatagram(buffer, payloadStart, payloadEnd);
    if (kind === 'rtcp') {
      this.rtcpPackets[stream]!++;
      return false;
    }
    const reason = kind === 'rtp' ? readRtpHeader(buffer, payloadStart, payloadEnd, this.header) : 'notRtp';
    if (reason === null) return true;
    this.unreadable[stream]![reason] = (this.unreadable[stream]![reason] ?? 0) + 1;
    return false;
  }
}
