// What the renderer and its worker threads say to each other.
import type { RenderJob, RenderResult } from '../recording/engines.ts';

/** One at a time per worker; the answer comes before the next order. */
export interface RenderOrder {
  job: RenderJob;
  /** One Int32: not 0 asks the worker to stop. Shared, because a worker that renders reads no messages. */
  abort: SharedArrayBuffer;
}

export type RenderAnswer =
  | { type: 'done'; result: RenderResult }
  | { type: 'aborted' }
  /** `code` is the system's error code (ENOENT, ENOSPC), if it was one. */
  | { type: 'failed'; message: string; stack: string | undefined; code: string | undefined };
