// When things happen, and how long they took.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const RENDERED_WITHIN_MS = 180_000;

/** So many times in all, so many a second; resolves when all are done. */
export async function paced(count: number, perSecond: number, each: (i: number) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  const under: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const waitMs = startMs + (i * 1000) / perSecond - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    under.push(each(i));
  }
  await Promise.all(under);
}

/** The spool is empty: every recording has its place. */
export async function rendered(data: string): Promise<void> {
  const untilMs = performance.now() + RENDERED_WITHIN_MS;
  while (performance.now() < untilMs) {
    await sleep(500);
    if (readdirSync(join(data, 'spool')).length === 0) return;
  }
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
