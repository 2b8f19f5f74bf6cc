// The transaction timers' base values (RFC 3261 §17.1.1.1, table 4; RFC 6026 §7).

export interface Timing {
  /** Round-trip estimate: first retransmission. */
  t1Ms: number;
  /** Longest interval between retransmissions, except of an INVITE. */
  t2Ms: number;
  /** How long a message may stay in the network. */
  t4Ms: number;
  /** An INVITE that the user leaves without any answer for so long is answered 408; another request is forgotten. */
  unansweredMs: number;
  /** Timer C: our INVITE has no final answer so long after its last 1xx. */
  ringingMs: number;
}

export const DEFAULT_TIMING: Timing = {
  t1Ms: 500,
  t2Ms: 4_000,
  t4Ms: 5_000,
  unansweredMs: 64_000,
  ringingMs: 180_000,
};
