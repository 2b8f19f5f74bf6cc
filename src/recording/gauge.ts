// A measured value with two thresholds: beyond one it refuses new recordings, behind the other it takes them again.
//
//   accepting ──value reaches refuseAt──▶ refusing ──value is back at acceptAt──▶ accepting
//
// Between the two it stays what it was, so that a value which trembles does not make clients run to and fro.

export interface Thresholds {
  /** With `refuseAt` above `acceptAt` high values are bad, with `refuseAt` below it low ones. */
  refuseAt: number;
  acceptAt: number;
}

export interface GaugeReading extends Partial<Thresholds> {
  name: string;
  /** Null while there is nothing to measure. */
  value: number | null;
  refusing: boolean;
}

export class Gauge<Code extends string> {
  readonly name: string;
  /** What is wrong while it refuses. */
  readonly code: Code;
  readonly #read: () => number | null;
  readonly #thresholds: () => Thresholds;
  #refusing = false;

  /** The unit is part of the name: `spoolFreeMiB`. Thresholds may move with the load. */
  constructor(name: string, code: Code, read: () => number | null, thresholds: () => Thresholds) {
    this.name = name;
    this.code = code;
    this.#read = read;
    this.#thresholds = thresholds;
  }

  /** Measures. What cannot be measured refuses nobody. */
  read(): GaugeReading {
    const value = this.#read();
    const { refuseAt, acceptAt } = this.#thresholds();
    // Mirrored if low values are bad, so that below high is bad.
    const sign = refuseAt >= acceptAt ? 1 : -1;
    if (value === null) this.#refusing = false;
    else if (sign * value >= sign * refuseAt) this.#refusing = true;
    else if (sign * value <= sign * acceptAt) this.#refusing = false;
    return { name: this.name, value, refuseAt, acceptAt, refusing: this.#refusing };
  }
}
