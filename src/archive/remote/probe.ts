// Whether a store can be used as it has to be: an object is written, read and deleted again.
import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ObjectStore } from './object-store.ts';

const PROBE_OCTETS = 1_000;

/** Null if all went well, else the step that did not, and why. */
export async function probeStore(
  store: Pick<ObjectStore, 'put' | 'source' | 'remove'>,
  prefix: string,
): Promise<{ step: 'write' | 'read' | 'delete'; error: Error } | null> {
  const key = `${prefix}sipreel-probe-${randomUUID()}`;
  const content = randomBytes(PROBE_OCTETS);
  let step: 'write' | 'read' | 'delete' = 'write';
  try {
    const whole = {
      octets: PROBE_OCTETS,
      read: (first: number, last: number) => Readable.from([content.subarray(first, last + 1)]),
    };
    await store.put(key, whole, { signal: new AbortController().signal, uploadId: null, onUpload: async () => {} });
    step = 'read';
    const read = await buffer(store.source(key, PROBE_OCTETS).read(0, PROBE_OCTETS - 1));
    if (!read.equals(content)) throw new Error('it gave back something else');
    step = 'delete';
    await store.remove(key, null);
    return null;
  } catch (error) {
    if (step === 'read') await store.remove(key, null).catch(() => {});
    return { step, error: error as Error };
  }
}
