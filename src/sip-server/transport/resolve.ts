// Finding a peer's IP address: A and AAAA through the system's resolver. NAPTR and SRV (RFC 3263) are not asked.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { TransportError } from './flow.ts';

/**
 * An IP address as it is (brackets taken off), or the first one of the name whose family (4, 6) is in `families`.
 * Rejects with UNRESOLVED, also after `limitMs`: the system's resolver may take its time, but must not take ours.
 */
export async function resolveHost(
  host: string,
  families: ReadonlySet<number>,
  limitMs: number,
  clock: Clock,
): Promise<string> {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare)) return bare;
  const late = Promise.withResolvers<never>();
  const timer = clock.after(limitMs, () => late.reject(new Error(`no answer within ${limitMs} ms`)));
  try {
    const found = await Promise.race([lookup(bare, { all: true }), late.promise]);
    const usable = found.find(({ family }) => families.has(family));
    if (usable) return usable.address;
  } catch (error) {
    throw new TransportError('UNRESOLVED', `The name ${bare} has no address.`, { cause: error });
  } finally {
    timer.cancel();
  }
  throw new TransportError('UNRESOLVED', `The name ${bare} has no address of a family that is listened on.`);
}
