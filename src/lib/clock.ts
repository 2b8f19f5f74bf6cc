// Where time comes from. Two clocks with different duties: one places media and drives timers, one labels.

/** A scheduled call that can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time for everything that is tested without sleeping.
 * `nowMs` places media and measures intervals; `wallMs` labels things for people and may jump.
 */
export interface Clock {
  /** Unix time in ms with a fraction (about 1 µs fine). Anchored to the wall clock once, monotonic from there on. */
  nowMs(): number;
  /** The wall clock's Unix time in ms. May step in either direction; never use it for intervals. */
  wallMs(): number;
  /** Calls `fire` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, fire: () => void): Timer;
}

/** Ties the monotonic clock, which all threads of a process share, to Unix time. Structured-cloneable, for workers. */
export interface ClockAnchor {
  unixMs: number;
  monotonicNs: bigint;
}

export function anchorNow(): ClockAnchor {
  return { unixMs: Date.now(), monotonicNs: process.hrtime.bigint() };
}

/** A clock for this thread that agrees with every other clock made from the same anchor, in any thread. */
export function anchoredClock(anchor: ClockAnchor): Clock {
  // performance.now() allocates nothing, unlike hrtime; only its offset to the shared anchor is computed here.
  const elapsedMs = Number(process.hrtime.bigint() - anchor.monotonicNs) / 1e6;
  const offsetMs = anchor.unixMs + elapsedMs - performance.now();
  return {
    nowMs: () => offsetMs + performance.now(),
    wallMs: () => Date.now(),
    after(delayMs, fire) {
      const timeout = setTimeout(fire, delayMs);
      timeout.unref();
      return { cancel: () => clearTimeout(timeout) };
    },
  };
}

/** The process's own anchor, made when the first module asks for time. */
export const processAnchor: ClockAnchor = anchorNow();
export const systemClock: Clock = anchoredClock(processAnchor);
