// A running call as audio, half a second late, from the journal that is being written. Capture knows nothing of it.
import { JournalFollower } from '../../journal/follower.ts';
import type { RenderJob } from '../../recording/engines.ts';
import { classifyDatagram } from '../../rtp/classify.ts';
import { RtpHeader, readRtpHeader } from '../../rtp/packet.ts';
import { createDecoder } from '../codecs/registry.ts';
import { PayloadTypes } from '../payload-types.ts';
import { LiveTrack } from './track.ts';

/** Journals are appended to every 200 ms, and asked for as often. */
const DELAY_MS = 600;
/** One piece is no longer than that; whoever comes later has lost what was before. */
const MOST_MS = 2_000;
const NARROW_HZ = 8_000;
const WIDE_HZ = 16_000;
const SILENCE_DB = -90;

/** What has been said since the piece before. */
export interface LivePiece {
  /** 16-bit, two channels taking turns: caller left, callee right; a mixed stream on both. */
  samples: Int16Array;
  /** Loudness of each side over the piece, dBFS (RMS), -90 for silence. */
  levelsDb: [number, number];
}

export class LiveAudio {
  readonly sampleRateHz: number;
  readonly #journal: JournalFollower;
  readonly #tracks = new Map<string, LiveTrack>();
  readonly #header = new RtpHeader();
  #taken: number;

  private constructor(journal: JournalFollower, sampleRateHz: number, nowMs: number) {
    this.#journal = journal;
    this.sampleRateHz = sampleRateHz;
    journal.fromMs = nowMs - DELAY_MS;
    this.#taken = Math.floor(((nowMs - DELAY_MS) * sampleRateHz) / 1000);
  }

  /** From now on. Rejects with what opening the journal rejects with. */
  static async open(job: RenderJob, nowMs: number): Promise<LiveAudio> {
    const wide = job.streams.some(({ formats, placement }) =>
      formats.some((format) => placement !== 'arrival' && (createDecoder(format)?.sampleRateHz ?? 0) > NARROW_HZ),
    );
    return new LiveAudio(await JournalFollower.open(job.journalPath), wide ? WIDE_HZ : NARROW_HZ, nowMs);
  }

  /** What is due by `nowMs` (media clock). Rejects if the journal can no longer be followed: open it anew. */
  async next(job: RenderJob, nowMs: number): Promise<LivePiece> {
    while (await this.#journal.more()) {
      while (this.#journal.next()) this.#add(job);
    }
    if (this.#journal.truncated) throw new Error('the journal is not what it was');
    const until = Math.floor(((nowMs - DELAY_MS) * this.sampleRateHz) / 1000);
    const frames = Math.max(0, Math.min(until - this.#taken, (MOST_MS * this.sampleRateHz) / 1000));
    const at = until - frames;
    this.#taken = Math.max(this.#taken, until);
    const mix = new Int32Array(2 * frames);
    for (const track of this.#tracks.values()) {
      if (job.channels > 1) track.takeInto(mix, Math.min(track.channel, 1), 2, at, frames);
      else track.takeInto(mix, 0, 2, at, frames);
    }
    if (job.channels === 1) for (let i = 0; i < frames; i++) mix[2 * i + 1] = mix[2 * i]!;
    return { samples: Int16Array.from(mix, clip), levelsDb: [loudness(mix, 0, frames), loudness(mix, 1, frames)] };
  }

  close(): void {
    this.#journal.close();
  }

  #add(job: RenderJob): void {
    const { buffer, payloadStart, payloadEnd, interfaceName, timeMs, protocol } = this.#journal;
    if (protocol !== 'udp') return;
    const track = this.#trackOf(interfaceName, job);
    if (!track || classifyDatagram(buffer, payloadStart, payloadEnd) !== 'rtp') return;
    if (readRtpHeader(buffer, payloadStart, payloadEnd, this.#header) !== null) return;
    track.add(buffer, this.#header, timeMs);
  }

  /** None for SIP, and for packets that could not be decrypted. A track is made anew when its stream has moved to another side or has further formats. */
  #trackOf(streamId: string, job: RenderJob): LiveTrack | null {
    const stream = job.streams.find((one) => one.streamId === streamId);
    if (!stream) return null;
    const known = this.#tracks.get(streamId);
    if (known?.channel === stream.channel && known.formatCount === stream.formats.length) return known;
    const track = new LiveTrack(stream, new PayloadTypes(stream, job.streams), this.sampleRateHz, this.#taken);
    this.#tracks.set(streamId, track);
    return track;
  }
}

const clip = (sample: number) => Math.max(-32_768, Math.min(32_767, sample));

function loudness(mix: Int32Array, channel: number, frames: number): number {
  let sum = 0;
  for (let i = 0; i < frames; i++) {
    const sample = mix[2 * i + channel]! / 32_768;
    sum += sample * sample;
  }
  if (sum === 0) return SILENCE_DB;
  return Math.max(SILENCE_DB, Math.round(10 * Math.log10(sum / frames)));
}
