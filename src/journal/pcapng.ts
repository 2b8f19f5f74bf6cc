// Numbers of the pcapng format (draft-ietf-opsawg-pcapng) that writer and reader share.

export const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION_BLOCK = 1;
export const SIMPLE_PACKET_BLOCK = 3;
export const INTERFACE_STATISTICS_BLOCK = 5;
export const ENHANCED_PACKET_BLOCK = 6;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, total length, and the total length again at the end (§3.1). */
export const BLOCK_OVERHEAD_OCTETS = 12;
/** Longer blocks are taken for garbage. Wireshark's own limit is 16 MiB too. */
export const MAX_BLOCK_OCTETS = 16 << 20;

export const OPT_ENDOFOPT = 0;
export const SHB_USERAPPL = 4;
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_TSRESOL = 9;
export const IF_TSOFFSET = 14;

/** Link types (https://www.tcpdump.org/linktypes.html). */
export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
/** The packet begins with its IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_LINUX_SLL2 = 276;

/** What the section header names as the writing application. */
export const USER_APPLICATION = 'sipreel';
/** The interface that carries SIP messages; all others are streams. */
export const SIP_INTERFACE = 'sip';

/** The interface beside a stream's own that holds its packets which could not be decrypted. Never audio. */
export function undecryptedInterface(streamId: string): string {
  return `${streamId}-encrypted`;
}
