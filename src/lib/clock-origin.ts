// The media clock across a restart: what a process leaves behind so that the next one counts on, whatever the wall clock did.
import { readFileSync } from 'node:fs';
import { anchorNow, type ClockAnchor } from './clock.ts';

/** An anchor as JSON-safe data, with the boot in which its monotonic time counts. */
export interface ClockOrigin {
  bootId: string;
  unixMs: number;
  /** Decimal digits: JSON has no bigint. */
  monotonicNs: string;
}

/** Null where the system does not tell one boot from another: then nothing can be counted on. */
export function originOf(anchor: ClockAnchor, bootId = thisBoot()): ClockOrigin | null {
  return bootId === null ? null : { bootId, unixMs: anchor.unixMs, monotonicNs: String(anchor.monotonicNs) };
}

/** The anchor of an earlier process of this boot; null for another boot, or if it cannot be one. */
export function anchorOf(
  origin: ClockOrigin,
  bootId = thisBoot(),
  monotonicNs = process.hrtime.bigint(),
): ClockAnchor | null {
  if (bootId === null || origin.bootId !== bootId || !/^\d{1,20}$/.test(origin.monotonicNs)) return null;
  const then = BigInt(origin.monotonicNs);
  return then > monotonicNs ? null : { unixMs: origin.unixMs, monotonicNs: then };
}

/** Linux: all processes of one boot share CLOCK_MONOTONIC. */
function thisBoot(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/** The anchor of whatever still runs, else a new one: tied to the wall clock as it is now. */
export function continuedAnchor(running: readonly { clock: ClockOrigin | null }[]): ClockAnchor {
  for (const { clock } of running) {
    const anchor = clock && anchorOf(clock);
    if (anchor) return anchor;
  }
  return anchorNow();
}
