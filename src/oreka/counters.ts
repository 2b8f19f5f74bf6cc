// What the door counts. Only ever goes up.
import type { UnreadableReason } from './datagram.ts';

export interface OrekaCounters {
  /** Datagrams from allowed sources. */
  datagrams: number;
  /** Datagrams from other sources, by source address; beyond 256 sources as `others`. */
  refusedSources: Record<string, number>;
  /** Datagrams that no message could be read from, by reason. */
  unreadable: Partial<Record<UnreadableReason, number>>;
  /** Recordings started. */
  started: number;
  /** Recordings that the recorder refused (limits, draining, storage). */
  refused: number;
  /** INVITEs that repeated one of a running call. */
  duplicateInvites: number;
  /** INVITEs beyond what one call may announce. */
  excessiveInvites: number;
  /** BYEs for a stream or a call that we do not know: its INVITE was lost, refused, or came before our start. */
  byesWithoutInvite: number;
  /** Announced ports that could not be bound. */
  portsUnavailable: number;
}

export function newCounters(): OrekaCounters {
  return {
    datagrams: 0,
    refusedSources: {},
    unreadable: {},
    started: 0,
    refused: 0,
    duplicateInvites: 0,
    excessiveInvites: 0,
    byesWithoutInvite: 0,
    portsUnavailable: 0,
  };
}
