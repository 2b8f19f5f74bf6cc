// How a SIP message becomes packets: a UDP datagram, or TCP segments of a made-up but continuous connection.
import { type Endpoint, Flow, PROTOCOL_TCP, PROTOCOL_UDP } from './ip-headers.ts';

/** Longer messages do not fit a datagram together with IP and UDP headers; they are shown as TCP. */
export const MAX_SIP_DATAGRAM_OCTETS = 65_000;
const SEGMENT_OCTETS = 32_768;
/** TCP connections whose numbering is remembered. When more are needed all are forgotten. */
const MAX_CONNECTIONS = 64;

export interface SipMessage {
  /** Unix ms with a fraction. */
  timeMs: number;
  /** As seen from the recorder. */
  direction: 'received' | 'sent';
  transport: 'udp' | 'tcp' | 'tls';
  local: Endpoint;
  remote: Endpoint;
  message: Uint8Array;
}

export type SipPacket =
  | { protocol: 'udp'; flow: Flow; payload: Uint8Array }
  | { protocol: 'tcp'; flow: Flow; payload: Uint8Array; sequence: number; acknowledged: number };

interface Connection {
  received: { flow: Flow; next: number };
  sent: { flow: Flow; next: number };
}

/** Remembers sequence numbers per connection. TLS appears as the plain text inside. */
export class SipPackets {
  readonly #connections = new Map<string, Connection>();

  packetsFor(message: SipMessage): SipPacket[] {
    const { direction, local, remote, message: octets } = message;
    if (message.transport === 'udp' && octets.length <= MAX_SIP_DATAGRAM_OCTETS) {
      const flow =
        direction === 'received' ? new Flow(remote, local, PROTOCOL_UDP) : new Flow(local, remote, PROTOCOL_UDP);
      return [{ protocol: 'udp', flow, payload: octets }];
    }
    const connection = this.#connection(message);
    const side = connection[direction];
    const acknowledged = connection[direction === 'received' ? 'sent' : 'received'].next;
    const packets: SipPacket[] = [];
    for (let at = 0; at < octets.length; at += SEGMENT_OCTETS) {
      const payload = octets.subarray(at, at + SEGMENT_OCTETS);
      packets.push({ protocol: 'tcp', flow: side.flow, payload, sequence: side.next, acknowledged });
      side.next = (side.next + payload.length) >>> 0;
    }
    return packets;
  }

  forget(): void {
    this.#connections.clear();
  }

  #connection({ timeMs, local, remote }: SipMessage): Connection {
    const key = `${local.host} ${local.port} ${remote.host} ${remote.port}`;
    let connection = this.#connections.get(key);
    if (!connection) {
      if (this.#connections.size >= MAX_CONNECTIONS) this.#connections.clear();
      // Numbers that grow with time: a connection taken up again after a restart continues above its old ones.
      const first = (Math.floor(timeMs) * 64) % 4_294_967_296;
      connection = {
        received: { flow: new Flow(remote, local, PROTOCOL_TCP), next: first },
        sent: { flow: new Flow(local, remote, PROTOCOL_TCP), next: first },
      };
      this.#connections.set(key, connection);
    }
    return connection;
  }
}
