// What passes between a DiskThread and its thread. Both sides gather what they have into one message: each one wakes a thread.
import type { DiskCall } from './disk.ts';

export interface DiskOrder {
  id: number;
  /** One after the other until one fails. */
  calls: DiskCall[];
}

export interface DiskAnswer {
  id: number;
  /** Of each call. Without a failure only. */
  results?: unknown[];
  failure?: { message: string; code?: string; errno?: number; syscall?: string };
}
