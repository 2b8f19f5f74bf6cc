// The sender's cryptographic context: RTP and RTCP in, protected packets out (RFC 3711 §3.3, §3.4).
import { KeyedTransform } from './keyed-transform.ts';
import { MAX_MKI_OCTETS, masterKeyFault, type SrtpMasterKey } from './master-key.ts';
import { estimateRoc, packetIndex } from './packet-index.ts';
import { SRTCP_WORD_OCTETS } from './packet-protection.ts';
import { MAX_PACKET_OCTETS, PacketView } from './packet-view.ts';
import { SourceTable } from './source-table.ts';

/** Octets that protection adds at most: tag, index and MKI. */
export const MAX_OVERHEAD_OCTETS = 16 + SRTCP_WORD_OCTETS + MAX_MKI_OCTETS;

export type SrtpRefusal =
  /** Not the beginning of an RTP or RTCP packet. */
  | 'srtpTooShort'
  /** The protected packet would be longer than a datagram, or than `into`. */
  | 'srtpTooLarge'
  /** The master key has protected as many packets as it may (RFC 3711 §9.2, or its lifetime): a new one is needed. */
  | 'srtpKeyUsedUp';

const MAX_RTP_PACKETS = 2 ** 48;
const MAX_RTCP_PACKETS = 2 ** 31;

// Shared by all senders of the thread.
const packet = new PacketView();

/** Throws RangeError for wrong lengths; the message shows no key material. */
export function createSrtpSender(key: SrtpMasterKey): SrtpSender {
  const fault = masterKeyFault(key);
  if (fault !== null) throw new RangeError(fault);
  return new SrtpSender(key);
}

export class SrtpSender {
  readonly #transform: KeyedTransform;
  readonly #maxRtpPackets: number;
  readonly #maxRtcpPackets: number;
  readonly #rtpSources = new SourceTable<{ roc: number; maxSeq: number }>();
  #rtpPackets = 0;
  /** One counter for all SSRCs: an index is never used twice, whichever SSRC is forgotten. */
  #rtcpIndex = 0;

  constructor(key: SrtpMasterKey) {
    this.#transform = new KeyedTransform(key);
    this.#maxRtpPackets = Math.min(key.lifetime ?? MAX_RTP_PACKETS, MAX_RTP_PACKETS);
    this.#maxRtcpPackets = Math.min(key.lifetime ?? MAX_RTCP_PACKETS, MAX_RTCP_PACKETS - 1);
  }

  /**
   * Protects the RTP packet in `buffer[start, end)`. Never throws. The rollover counter follows the sequence numbers;
   * more than MAX_SSRCS SSRCs of one sender lose it.
   * @param into other memory than `buffer`, with MAX_OVERHEAD_OCTETS more than the packet
   * @returns octets written from the beginning of `into`
   */
  protectRtp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpRefusal {
    if (!packet.readRtp(buffer, start, end)) return 'srtpTooShort';
    if (!fits(end - start + this.#transform.rtpOverheadOctets, into)) return 'srtpTooLarge';
    if (this.#rtpPackets >= this.#maxRtpPackets) return 'srtpKeyUsedUp';
    this.#rtpPackets++;
    return this.#transform.sealRtp(packet, this.#nextRoc(), into);
  }

  /** The same for a compound RTCP packet. The first SRTCP index is 1. */
  protectRtcp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpRefusal {
    if (!packet.readRtcp(buffer, start, end)) return 'srtpTooShort';
    if (!fits(end - start + this.#transform.rtcpOverheadOctets, into)) return 'srtpTooLarge';
    if (this.#rtcpIndex >= this.#maxRtcpPackets) return 'srtpKeyUsedUp';
    this.#rtcpIndex++;
    return this.#transform.sealRtcp(packet, this.#rtcpIndex, into);
  }

  #nextRoc(): number {
    const { ssrc, sequenceNumber } = packet;
    const source = this.#rtpSources.find(ssrc);
    if (source === null) {
      this.#rtpSources.add(ssrc, { roc: 0, maxSeq: sequenceNumber });
      return 0;
    }
    const roc = Math.max(0, estimateRoc(source.roc, source.maxSeq, sequenceNumber));
    if (packetIndex(roc, sequenceNumber) > packetIndex(source.roc, source.maxSeq)) {
      source.roc = roc;
      source.maxSeq = sequenceNumber;
    }
    return roc;
  }
}

function fits(octets: number, into: Uint8Array): boolean {
  return octets <= into.length && octets <= MAX_PACKET_OCTETS;
}
