// What the main thread and a capture worker say to each other. Structured-cloneable; both ends are this program.
import type { ClockAnchor } from '../lib/clock.ts';
import type { CaptureStreamChange, CaptureStreamSpec } from '../recording/engines.ts';
import type { AnnouncedAddress, StreamAddress, StreamStatistics } from '../recording/media.ts';
import type { SyncPolicy } from './journal-file.ts';
import type { RecordedSip } from './sip-outbox.ts';

export type ReceiverKind = 'dgram' | 'linux';

/** A worker's settings, in its workerData. */
export interface WorkerSettings {
  anchor: ClockAnchor;
  /** `linux`: system calls through koffi; the worker does not start where that is not possible. */
  receiver: ReceiverKind;
  /** Asked of the kernel per socket. */
  receiveBufferOctets: number;
  bindAddress: string;
  /** Our address as the journal shows it. */
  localHost: string;
  restMs: number;
  takeoverMs: number;
  /** Longest time between two writes of a journal. */
  flushMs: number;
  /** Octets that may wait in memory for a slow disk, per recording and in the whole worker. */
  recordingBufferOctets: number;
  workerBufferOctets: number;
  /** When journals are brought onto the disk. */
  sync: SyncPolicy;
  /** Null sends no receiver reports. */
  rtcp: { intervalMs: number; cname: string } | null;
}

/** What a worker has to know of a stream. */
export type StreamSettings = Omit<CaptureStreamSpec, 'announced'>;

/** Requests with their answers. A request is refused with an error code of the catalogue. */
export interface CaptureCalls {
  open: { request: { recordingId: string; journalPath: string }; response: undefined };
  /** Binds a port that a client chose. `problem` is the system's error code. */
  announce: { request: { id: number; address: AnnouncedAddress }; response: { problem: string | null } };
  /** Closes resting sockets before their time: their port is needed. */
  endRest: { request: { rtpPort: number }; response: undefined };
  /** `bound: false`: another program has one of the ports, or the announcement is gone. */
  addStream: {
    request: {
      recordingId: string;
      stream: StreamSettings;
      address: StreamAddress;
      /** Takes over this announced port instead of binding a pair; `host` is ours as the client names it. */
      announcement?: { id: number; host: string };
    };
    response: { bound: boolean };
  };
  /** Answered when it is in force. */
  updateStream: {
    request: { recordingId: string; streamId: string; change: CaptureStreamChange };
    response: undefined;
  };
  statistics: { request: { recordingId: string }; response: Record<string, StreamStatistics> };
  seal: { request: { recordingId: string }; response: Record<string, StreamStatistics> };
  /** Seals everything, closes all sockets at once and ends the thread. */
  close: { request: Record<string, never>; response: undefined };
}

/** From the main thread, without an answer. */
export type CaptureNotice =
  /** Calls will come. Until then a worker does nothing, and has no thread that writes. */
  | { type: 'begin' }
  | { type: 'removeStream'; recordingId: string; streamId: string }
  | { type: 'writeSip'; gathered: RecordedSip[] }
  | { type: 'releaseAnnouncement'; id: number };

/** From a worker, unasked. */
export type CaptureNews =
  /** The worker has loaded. Its first news; nothing follows until it is told to begin. */
  | { type: 'ready' }
  /** About once a second: recordings that received something since, side by side with the time; and the worker's sums. */
  | { type: 'activity'; recordingIds: string[]; lastPacketMs: number[]; sums: WorkerSums }
  | { type: 'storageFailed'; recordingId: string; reason: string }
  /** Packets are lost from `atMs` on because the disk takes nothing and their memory is full; or no more. */
  | { type: 'journalFull'; recordingId: string; state: 'full' | 'taking'; atMs: number }
  /** Ports whose sockets have rested and are closed. */
  | { type: 'rested'; rtpPorts: number[] };

export interface WorkerSums {
  recordings: number;
  streams: number;
  /** Octets that wait to be written. */
  waitingOctets: number;
  /** RTP packets recorded and datagrams dropped, of the recordings open now. */
  packets: number;
  dropped: number;
  /** What the promptest of the last second's turns was late, ms: the worker has more to do than it can. */
  lagMs: number;
  /** Journals whose last write failed. */
  failingJournals: number;
  /** RTP packets recorded per second since the report before. */
  packetsPerSecond: number;
  /** By how much the sockets were read too late at worst since the report before, ms: what their buffers must hold. */
  handOverLagMs: number;
  /** How long the oldest write under way has been waiting for the disk, ms. */
  writeLagMs: number;
}
