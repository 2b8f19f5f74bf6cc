// What doors and engines say to each other about media. Words of RFC 4566, 3264, 3550 and 3711.
import type { MasterKeyText } from '../rtp/srtp/master-key-text.ts';

/** One payload type as an m-line declared it. */
export interface MediaFormat {
  payloadType: number;
  /** Encoding name in upper case: `PCMU`, `L16`, `TELEPHONE-EVENT`. Static types without rtpmap are filled in (RFC 3551). */
  encoding: string;
  clockRateHz: number;
  channels: number;
  /** The fmtp parameters as written, null without. */
  fmtp: string | null;
}

/** A media stream as the offer describes it now. */
export interface OfferedStream {
  /** The label as sent (RFC 4574), an opaque string; null when the m-line has none. */
  label: string | null;
  formats: MediaFormat[];
  /** False while the stream is inactive, held or port 0: whatever arrives then is dropped. */
  sending: boolean;
  /** The client's own choice of port; absent: a pair from our range. */
  announced?: AnnouncedPort;
  /** Absent: nobody has spoken of keys. A known stream keeps those that it had. */
  srtp?: StreamSrtp;
  /** The door's name for the stream, unique within the recording: labels may be missing, come twice or be used again. */
  key: string;
  /** Number of the recording session that brings it, from 1; absent where there is but one. */
  session?: number;
}

/** The keys of a stream, as JSON can hold them. Key material: never in a log, never in recording.json. */
export interface StreamSrtp {
  /** Those that its sender may be using, likeliest first. At most MAX_MASTER_KEYS. */
  receiving: MasterKeyText[];
  /** What our RTCP is protected with; null: nothing was agreed, so it is sent plain if plain packets are taken, else not at all. */
  sending: MasterKeyText | null;
  /** The m-line does not insist on SRTP (RTP/AVP): packets that are not protected are taken too. */
  plainToo: boolean;
}

/** A port that the client has chosen for us (mod_oreka sends to the port number that it uses itself). */
export interface AnnouncedAddress {
  /** Our IP address as the client names it (`c=`). */
  host: string;
  port: number;
  /** The sender's IP address (`o=`); tells two clients apart that announce the same port. Null: whoever sends first. */
  sourceHost: string | null;
}

/** An announced port that is being bound, or is. Held until a stream takes it over or it is released. */
export interface AnnouncedPort {
  readonly address: AnnouncedAddress;
  /** Settles when the port is bound; rejects with PORT_UNAVAILABLE if it cannot be had. Handled or not, it never crashes the process. */
  readonly bound: Promise<void>;
  /** For a port that no stream took over. Idempotent; harmless after a stream has it. */
  release(): void;
}

/** Where a stream's media has to be sent. The RTCP port is bound too. */
export interface StreamAddress {
  rtpPort: number;
  rtcpPort: number;
}

/** Counted per stream by the capture core, or again from the journal. Times are Unix ms with a fraction. */
export interface StreamStatistics {
  /** RTP packets that were accepted, without duplicates. */
  packets: number;
  /** Payload octets in them. */
  octets: number;
  /** Expected minus received (RFC 3550 A.3), never below 0. */
  lost: number;
  duplicates: number;
  /** Arrived after a later sequence number, but in time. */
  reordered: number;
  /** Interarrival jitter in ms (RFC 3550 A.8), as of the end. */
  jitterMs: number;
  rtcpPackets: number;
  /** SSRCs in the order of appearance, at most 32. */
  ssrcs: number[];
  /** Packets by payload type number. */
  payloadTypes: Record<number, number>;
  /** Senders that were accepted, `host:port`, in order of appearance, at most 32. */
  sources: string[];
  firstPacketMs: number | null;
  lastPacketMs: number | null;
  /** SRTP and SRTCP packets that no key opened, kept in the journal as they came. Absent: none. */
  undecrypted?: number;
  /** Datagrams that were not recorded, or only encrypted, by reason. */
  drops: Record<string, number>;
  /** Datagrams that the kernel dropped because the port was not read in time. Absent where the system does not tell. */
  kernelDrops?: number;
}

/** A SIP message for the journal. `timeMs` is on the media clock (`Clock.nowMs`). */
export interface SipRecord {
  timeMs: number;
  /** As seen from the recorder. */
  direction: 'received' | 'sent';
  transport: 'udp' | 'tcp' | 'tls';
  local: { host: string; port: number };
  remote: { host: string; port: number };
  message: Uint8Array;
}
