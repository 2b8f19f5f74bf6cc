// Identifiers that this side makes up, and the name by which apps know a dialog.
import { randomInt, randomUUID } from 'node:crypto';

export function newCallId(): string {
  return randomUUID();
}

/** A first CSeq or RSeq number, with room to count (RFC 3261 §8.1.1.5, RFC 3262 §3: below 2**31). */
export function newSequenceNumber(): number {
  return randomInt(1, 0x3fffffff);
}

/**
 * The dialog id of the drachtio protocol: Call-ID and the From tag of the request that created the dialog. It has no
 * To tag, so the early dialogs of a forked INVITE share it.
 */
export function dialogIdOf(callId: string, creatorFromTag: string): string {
  // No legal Call-ID or tag has a `|`, which would cut the line that it is told in.
  return `${callId};from-tag=${creatorFromTag}`.replaceAll('|', '%7C');
}

/** What a request of the peer is matched by (RFC 3261 §12): unlike the dialog id, one key per dialog. */
export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId}\0${localTag}\0${remoteTag}`;
}
