// What passes between a DiskThread and its thread. Both sides gather what they have into one message: each one wakes a thread.
import type { DiskStep } from './disk.ts';

export interface DiskOrder {
  id: number;
  step: DiskStep;
  args: unknown[];
}

export interface DiskAnswer {
  id: number;
  result?: unknown;
  failure?: { message: string; code?: string; errno?: number; syscall?: string };
}
