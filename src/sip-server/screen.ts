// Who is seen at all: asked before a message costs anything. Whoever is not gets no answer, and nothing of it is kept.
import type { SipMessage } from './message/message.ts';
import type { Address, Flow, TransportName } from './transport/flow.ts';

/** Something that reaches a listener. */
export interface Arrival {
  transport: TransportName;
  /** As bound for UDP (a wildcard stays one); the concrete address for TCP and TLS. */
  local: Address;
  remote: Address;
}

export interface ArrivingRequest extends Arrival {
  method: string;
  /** The first line of that name. */
  header(name: string): string | null;
}

/** Must not throw, and be quick: it is asked for every request of strangers. */
export interface SipScreen {
  /** A connection that a peer has opened, before any handshake. If not, it is closed at once. */
  admitsConnection(arrival: Arrival): boolean;
  /** A request that belongs to no dialog here, or could not be read whole. If not, it is dropped without an answer. */
  admitsRequest(request: ArrivingRequest): boolean;
}

/** Lets everybody in. */
export const OPEN_SCREEN: SipScreen = { admitsConnection: () => true, admitsRequest: () => true };

export function arrivingRequest(message: SipMessage, { transport, local, remote }: Flow): ArrivingRequest {
  return { transport, local, remote, method: message.method, header: (name) => message.header(name) ?? null };
}
