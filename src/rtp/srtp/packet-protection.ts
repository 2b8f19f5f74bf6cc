// What a suite does to one packet once its session keys and rollover counter are known.
import type { PacketView } from './packet-view.ts';

//  counter mode   RTP   header | payload | MKI | tag             authenticated: header, payload, rollover counter
//                 RTCP  prefix | rest | E, index | MKI | tag      authenticated: prefix, rest, E and index
//  GCM            RTP   header | payload | tag | MKI             associated: header
//                 RTCP  prefix | rest | tag | E, index | MKI      associated: prefix (all of it if E is 0), E and index
/** `payloadEnd` is where the (encrypted) payload ends and what the suite adds begins. */
export interface PacketProtection {
  /** True if the packet is authentic; then, and only then, header and plain payload stand at the beginning of `into`. */
  openRtp(packet: PacketView, payloadEnd: number, roc: number, into: Uint8Array): boolean;
  /** `word` is the E bit and the SRTCP index as they stand in the packet. */
  openRtcp(packet: PacketView, payloadEnd: number, word: number, into: Uint8Array): boolean;
  /** Writes header, payload and, at `tagAt`, the tag to `into`. The payload ends at `packet.end`. */
  sealRtp(packet: PacketView, roc: number, into: Uint8Array, tagAt: number): void;
  /** The same for RTCP; `word` has been chosen by the caller, who also writes it. */
  sealRtcp(packet: PacketView, word: number, into: Uint8Array, tagAt: number): void;
}

/** In the word of an SRTCP packet: the packet is encrypted (RFC 3711 §3.4). */
export const ENCRYPTED_BIT = 0x8000_0000;
export const SRTCP_INDEX_MASK = 0x7fff_ffff;
export const SRTCP_WORD_OCTETS = 4;
