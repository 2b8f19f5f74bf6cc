// The index of an RTP packet: 16 bits are sent, the 32 bits above them, the rollover counter, are guessed (RFC 3711 §3.3.1).

export const SEQUENCE_MODULUS = 65_536;
const HALF = SEQUENCE_MODULUS / 2;

/**
 * The rollover counter that brings the packet nearest to the highest index accepted so far, `roc` and `maxSeq` (s_l in
 * the RFC). -1 if the packet would precede the stream's first.
 */
export function estimateRoc(roc: number, maxSeq: number, sequenceNumber: number): number {
  if (maxSeq < HALF) return sequenceNumber - maxSeq > HALF ? roc - 1 : roc;
  return maxSeq - HALF > sequenceNumber ? roc + 1 : roc;
}

export function packetIndex(roc: number, sequenceNumber: number): number {
  return roc * SEQUENCE_MODULUS + sequenceNumber;
}
