// Which m-line of a new offer is which known stream: by label first; position counts only where no label speaks (RFC 7866 §7.1.1).
// OpenSIPS puts new streams in front of old ones and drops removed ones, so the position rule of RFC 3264 §8 does not hold.
import { type OfferedMediaLine, refusalOf } from './sdp.ts';

export interface KnownStream {
  key: string;
  /** The latest label it had. */
  label: string | null;
  /** Its m-line in the latest offer. */
  index: number;
}

export interface StreamKeysSnapshot {
  known: KnownStream[];
  used: string[];
}

export class StreamKeys {
  #known: KnownStream[];
  readonly #used: Set<string>;

  constructor(snapshot?: StreamKeysSnapshot) {
    this.#known = [...(snapshot?.known ?? [])];
    this.#used = new Set(snapshot?.used);
  }

  snapshot(): StreamKeysSnapshot {
    return { known: this.#known, used: [...this.#used] };
  }

  /**
   * Keys of the offer's audio m-lines by m-line index. Streams that the offer leaves out are forgotten: should their
   * label come back, it is a new stream. An m-line that cannot be recorded gets a key only if it is a known stream.
   */
  assign(lines: readonly OfferedMediaLine[]): Map<number, string> {
    const audio = lines.filter((line) => line.media === 'audio');
    const matches = matchStreams(audio, this.#known);
    for (const line of audio) {
      if (!matches.has(line.index) && refusalOf(line) === null) matches.set(line.index, this.#newKey(line.index));
    }
    this.#known = audio
      .filter((line) => matches.has(line.index))
      .map((line) => {
        const key = matches.get(line.index)!;
        const before = this.#known.find((stream) => stream.key === key);
        return { key, label: line.label ?? before?.label ?? null, index: line.index };
      });
    return matches;
  }

  /** The m-line's index, unless an earlier stream has that key. */
  #newKey(index: number): string {
    let number = index;
    while (this.#used.has(String(number))) number++;
    this.#used.add(String(number));
    return String(number);
  }
}

function matchStreams(lines: readonly OfferedMediaLine[], known: readonly KnownStream[]): Map<number, string> {
  const matches = new Map<number, string>();
  const open = new Set(known);
  const take = (line: OfferedMediaLine, stream: KnownStream | undefined) => {
    if (!stream) return;
    open.delete(stream);
    matches.set(line.index, stream.key);
  };
  // Streams with the same label meet in their order.
  for (const line of lines) {
    if (line.label !== null)
      take(
        line,
        [...open].find((stream) => stream.label === line.label),
      );
  }
  const offerHasLabels = lines.some((line) => line.label !== null);
  for (const line of lines) {
    if (matches.has(line.index)) continue;
    // A label that appears for the first time may name a stream that had none; it never takes over another label's.
    take(
      line,
      [...open].find((stream) => stream.index === line.index && (!offerHasLabels || stream.label === null)),
    );
  }
  return matches;
}
