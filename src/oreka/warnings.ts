// What a listener to the recording should know about its streams.
import type { Warning } from '../recording/call.ts';
import type { CallStream } from './call-stream.ts';
import type { Side } from './datagram.ts';
import { formatEndpoint } from './listener.ts';

/** The stream's packets were never heard. */
export function noPort({ side, port }: CallStream, error: unknown): Warning {
  const why = error instanceof Error ? error.message : String(error);
  return {
    code: 'port-unavailable',
    message: `The ${side.toUpperCase()} stream is missing: FreeSWITCH sent it to ${formatEndpoint(port.address)}, which could not be opened here. ${why}`,
  };
}

/**
 * Null if both sides were announced. `left`: sides whose BYE came although they never were. Nothing in the texts says
 * that FreeSWITCH mixes both parties into RX; a BYE for TX says that it does not.
 */
export function oneStreamOnly(announced: ReadonlySet<Side>, left: ReadonlySet<Side>): Warning | null {
  if (announced.size !== 1) return null;
  const [only, other] = announced.has('rx') ? ['RX', 'TX'] : ['TX', 'RX'];
  const lost = `the INVITE of ${other} was lost or FreeSWITCH had no port for it`;
  const why = only === 'RX' && left.size === 0 ? `either it mixes both parties into one (mux mode), or ${lost}` : lost;
  return { code: 'one-stream-only', message: `FreeSWITCH announced the ${only} stream only: ${why}.` };
}
