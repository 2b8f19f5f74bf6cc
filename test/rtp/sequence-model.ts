// RFC 3550 A.1 and A.3 the slow way: every number of a run is remembered in a set.
import { MAX_DROPOUT, MAX_MISORDER, type SequenceTracker, type SequenceVerdict } from '../../src/rtp/sequence.ts';

interface Run {
  /** Extended numbers. */
  seen: Set<number>;
  highest: number;
}

export class SequenceModel {
  readonly #runs: Run[] = [];
  #inRun = false;
  #stray: number | null = null;
  #inSequence = 0;
  packets = 0;
  duplicates = 0;
  reordered = 0;
  restarts = 0;
  trusted = false;

  update(sequenceNumber: number): SequenceVerdict {
    const run = this.#runs.at(-1);
    if (run === undefined || !this.#inRun) {
      this.#beginRun([sequenceNumber]);
      this.packets++;
      this.trusted = false;
      this.#inSequence = 1;
      return 'first';
    }
    const ahead = (sequenceNumber - run.highest) & 0xffff;
    if (ahead > 0 && ahead < MAX_DROPOUT) return this.#ahead(run, ahead);
    if (ahead !== 0 && ahead <= 65_536 - MAX_MISORDER) return this.#far(sequenceNumber);
    const extended = ahead === 0 ? run.highest : run.highest - (65_536 - ahead);
    if (run.seen.has(extended)) {
      this.duplicates++;
      return 'duplicate';
    }
    run.seen.add(extended);
    this.packets++;
    this.reordered++;
    return 'reordered';
  }

  resynchronise(): void {
    this.#inRun = false;
  }

  /** Everything that the tracker tells as well. */
  get figures(): object {
    const expected = this.#runs.map(({ seen, highest }) => highest - Math.min(...seen) + 1);
    const received = this.#runs.map(({ seen }) => seen.size);
    return {
      packets: this.packets,
      duplicates: this.duplicates,
      reordered: this.reordered,
      restarts: this.restarts,
      trusted: this.trusted,
      expected: sum(expected),
      lost: sum(expected) - sum(received),
      extendedMax: this.#runs.at(-1)?.highest ?? 0,
    };
  }

  #beginRun(numbers: number[]): void {
    this.#runs.push({ seen: new Set(numbers), highest: Math.max(...numbers) });
    this.#inRun = true;
    this.#stray = null;
  }

  #ahead(run: Run, by: number): SequenceVerdict {
    run.highest += by;
    run.seen.add(run.highest);
    this.packets++;
    this.#stray = null;
    this.#inSequence = by === 1 ? this.#inSequence + 1 : 1;
    if (this.#inSequence >= 2) this.trusted = true;
    return by === 1 ? 'next' : 'gap';
  }

  #far(sequenceNumber: number): SequenceVerdict {
    if (this.#stray !== null && sequenceNumber === ((this.#stray + 1) & 0xffff)) {
      this.#beginRun([this.#stray, this.#stray + 1]);
      this.packets++;
      this.restarts++;
      this.trusted = true;
      return 'restart';
    }
    if (sequenceNumber === this.#stray) {
      this.duplicates++;
      return 'duplicate';
    }
    this.#stray = sequenceNumber;
    this.packets++;
    return 'jump';
  }
}

/** Of the tracker what the model's `figures` are. */
export function figuresOf(tracker: SequenceTracker): object {
  const { packets, duplicates, reordered, restarts, trusted, expected, lost, extendedMax } = tracker;
  return { packets, duplicates, reordered, restarts, trusted, expected, lost, extendedMax };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
