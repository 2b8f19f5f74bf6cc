// One recording as the heart sees it: knows what a worker was told, so that another one can go on when that worker dies.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { isRecorderError, RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type {
  CaptureEvents,
  CaptureSession,
  CaptureStreamChange,
  CaptureStreamSpec,
  RestoredStream,
} from '../recording/engines.ts';
import type {
  AnnouncedAddress,
  AnnouncedPort,
  SipRecord,
  StreamAddress,
  StreamStatistics,
} from '../recording/media.ts';
import { type Announcement, type Announcements, isAnnouncement } from './announcements.ts';
import type { PoolWorker, WorkerPool } from './pool.ts';
import type { PortPool } from './ports.ts';
import type { StreamSettings } from './protocol.ts';

/** Port pairs tried for one stream when other programs sit in our range. */
const MAX_PAIRS_TRIED = 256;
/** SIP messages and changes of streams kept while no worker has the recording. */
const MAX_BACKLOG = 1024;
const REHOME_RETRY_MS = 250;
const REBIND_RETRY_MS = 1000;
/** Tries to go on in another worker after the recording has ended meanwhile. */
const SEALED_REHOME_TRIES = 3;

export interface SessionSurroundings {
  pool: WorkerPool;
  ports: PortPool;
  announcements: Announcements;
  clock: Clock;
  log: Log;
  /** What a dying worker may have held in memory. */
  flushMs: number;
  /** The session is over; its id is free again. */
  onSealed: () => void;
}

/** What is told to whichever worker has the recording. */
type Order = (worker: PoolWorker) => void;

interface KnownStream {
  spec: StreamSettings;
  /** The port is the client's choice. */
  announced: AnnouncedAddress | null;
  address: StreamAddress;
  removed: boolean;
}

/**
 *            worker died                        opened elsewhere
 *   placed ──────────────▶ homeless (re-homing) ──────────────▶ placed
 *     └───────── seal ──────────▶ sealed ◀── seal ──┘
 */
export class WorkerCaptureSession implements CaptureSession {
  readonly recordingId: string;
  lastPacketMs: number | null = null;
  readonly #journalPath: string;
  readonly #events: CaptureEvents;
  readonly #around: SessionSurroundings;
  readonly #streams = new Map<string, KnownStream>();
  readonly #sealing: () => Promise<void>;
  #worker: PoolWorker | null;
  #home: Promise<void> = Promise.resolve();
  #backlog: Order[] = [];
  #sealed = false;
  #statistics: Record<string, StreamStatistics> = {};

  /** The worker has opened the recording already. */
  constructor(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    worker: PoolWorker,
    surroundings: SessionSurroundings,
  ) {
    this.recordingId = recordingId;
    this.#journalPath = journalPath;
    this.#events = events;
    this.#worker = worker;
    this.#around = surroundings;
    this.#sealing = closeOnce(() => this.#seal());
  }

  /**
   * Streams of an earlier process, on the ports that their senders know, which are reserved. One that another program has
   * taken meanwhile is asked for until it is free; the other streams go on.
   */
  async restoreStreams(streams: readonly RestoredStream[]): Promise<void> {
    const restored = streams.map(
      ({ address, announced, ...spec }): KnownStream => ({ spec, announced, address, removed: false }),
    );
    for (const known of restored) this.#streams.set(known.spec.streamId, known);
    for (const known of restored) {
      const worker = this.#worker;
      // If the worker dies meanwhile, the next one gets all of them.
      if (worker) await this.#bindAgain(worker, known).catch(() => {});
    }
  }

  async addStream({ announced, ...spec }: CaptureStreamSpec): Promise<StreamAddress> {
    if (announced) return this.#addAnnounced(announced, spec);
    let rtpPort: number | null = null;
    for (let tried = 0; tried < MAX_PAIRS_TRIED; tried++) {
      rtpPort ??= this.#around.ports.take();
      if (rtpPort === null) throw new RecorderError('NO_PORTS');
      const address = { rtpPort, rtcpPort: rtpPort + 1 };
      const outcome = await this.#bind(spec, address);
      if (outcome === 'bound') return address;
      if (outcome === 'taken') {
        this.#around.ports.release(rtpPort);
        rtpPort = null;
      }
    }
    if (rtpPort !== null) this.#around.ports.release(rtpPort);
    throw new RecorderError('NO_PORTS', 'All ports tried are used by other programs.');
  }

  /** Only its own port will do; it was bound, or not, when the client announced it. */
  async #addAnnounced(announced: AnnouncedPort, spec: StreamSettings): Promise<StreamAddress> {
    if (!isAnnouncement(announced)) throw new RecorderError('CAPTURE_FAILED', 'Not a port of this engine.');
    await announced.bound;
    const { port } = announced.address;
    const address = { rtpPort: port, rtcpPort: port + 1 };
    const outcome = await this.#bind(spec, address, announced);
    if (outcome !== 'bound') throw new RecorderError('PORT_UNAVAILABLE', `${port} was announced too long ago.`);
    return address;
  }

  async updateStream(streamId: string, change: CaptureStreamChange): Promise<void> {
    const known = this.#streams.get(streamId);
    if (!known || known.removed) return;
    known.spec = { ...known.spec, ...change };
    const { recordingId } = this;
    // While no worker has the recording, nothing is taken. One that dies takes nothing any more either.
    let inForce: Promise<unknown> = Promise.resolve();
    this.#tell(({ channel }) => {
      inForce = channel.call('updateStream', { recordingId, streamId, change }).catch(() => {});
    });
    await inForce;
  }

  removeStream(streamId: string): void {
    const known = this.#streams.get(streamId);
    if (!known || known.removed) return;
    known.removed = true;
    if (this.#worker) this.#worker.restingPorts.add(known.address.rtpPort);
    else this.#around.ports.release(known.address.rtpPort);
    this.#tell(({ channel }) => channel.notify({ type: 'removeStream', recordingId: this.recordingId, streamId }));
  }

  writeSip(record: SipRecord): void {
    this.#tell(({ sip }) => sip.add(this.recordingId, record));
  }

  async statistics(): Promise<Record<string, StreamStatistics>> {
    await this.#home;
    if (this.#worker && !this.#sealed) {
      const { channel } = this.#worker;
      // A worker that dies meanwhile has nothing to say; what was known last has to do.
      const current = await channel.call('statistics', { recordingId: this.recordingId }).catch(() => null);
      if (current) this.#statistics = current;
    }
    return this.#statistics;
  }

  async seal(): Promise<Record<string, StreamStatistics>> {
    await this.#sealing();
    return this.#statistics;
  }

  /** The worker is gone, and with it the sockets and what it had not written; since `lastMs` it took nothing. */
  workerDied(worker: PoolWorker, reason: string, lastMs: number): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#events.interrupted(lastMs - this.#around.flushMs, reason);
    for (const record of worker.sip.takeAll(this.recordingId)) this.writeSip(record);
    if (!this.#sealed) this.#home = this.#rehome();
  }

  journalFull(state: 'full' | 'taking', atMs: number): void {
    if (state === 'taking') this.#events.resumed(atMs);
    else this.#events.interrupted(atMs, 'the disk took nothing, and the memory for what waits for it was full');
  }

  storageFailed(reason: string): void {
    this.#events.storageFailed(reason);
  }

  get worker(): PoolWorker | null {
    return this.#worker;
  }

  async #bind(
    spec: StreamSettings,
    address: StreamAddress,
    announcement: Announcement | null = null,
  ): Promise<'bound' | 'taken' | 'again'> {
    await this.#home;
    const worker = this.#worker;
    try {
      if (this.#sealed || !worker) throw new RecorderError('RECORDING_ENDED');
      const { bound } = await worker.channel.call('addStream', {
        recordingId: this.recordingId,
        stream: spec,
        address,
        ...(announcement && { announcement: { id: announcement.id, host: announcement.address.host } }),
      });
      if (!bound) return 'taken';
      this.#streams.set(spec.streamId, { spec, announced: announcement?.address ?? null, address, removed: false });
      return 'bound';
    } catch (error) {
      if (this.#worker !== worker && !this.#sealed) return 'again';
      this.#around.ports.release(address.rtpPort);
      throw error;
    }
  }

  #tell(order: Order): void {
    if (this.#sealed) return;
    if (this.#worker) order(this.#worker);
    else if (this.#backlog.length < MAX_BACKLOG) this.#backlog.push(order);
  }

  async #seal(): Promise<void> {
    const home = this.#home;
    this.#sealed = true;
    await home;
    const worker = this.#worker;
    if (worker) {
      worker.sip.flush();
      const answer = worker.channel.call('seal', { recordingId: this.recordingId });
      for (const { address, removed } of this.#streams.values()) if (!removed) worker.restingPorts.add(address.rtpPort);
      try {
        this.#statistics = await answer;
      } catch (error) {
        // The worker died while sealing: told as an interruption; the journal is on disk up to its last batch.
        this.#around.log.warn({ recordingId: this.recordingId, error }, 'sealing was cut short');
      }
    } else {
      for (const { address, removed } of this.#streams.values())
        if (!removed) this.#around.ports.release(address.rtpPort);
    }
    if (this.#worker) this.#worker.load--;
    this.#worker = null;
    this.#around.onSealed();
  }

  /** Opens the recording in another worker, with the same ports, until it works. Never rejects. */
  async #rehome(): Promise<void> {
    const { pool, clock, log } = this.#around;
    let told = false;
    for (let tries = 1; !(this.#sealed && tries > SEALED_REHOME_TRIES); tries++) {
      let worker: PoolWorker | null = null;
      try {
        const announced = [...this.#streams.values()].some((known) => known.announced !== null);
        worker = await pool.place(announced ? pool.first() : null);
        await this.#moveTo(worker);
        this.#worker = worker;
        for (const order of this.#backlog.splice(0)) order(worker);
        this.#events.resumed(clock.nowMs());
        return;
      } catch (error) {
        if (worker) worker.load--;
        log.warn({ recordingId: this.recordingId, error, tries }, 'the recording could not go on in another worker');
        if (isRecorderError(error, 'STORAGE_FAILED') && !told) this.#events.storageFailed(error.message);
        told = true;
        await delay(REHOME_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async #moveTo(worker: PoolWorker): Promise<void> {
    await worker.channel.call('open', { recordingId: this.recordingId, journalPath: this.#journalPath });
    for (const known of this.#streams.values()) if (!known.removed) await this.#bindAgain(worker, known);
  }

  /** A port that cannot be had, because another program has taken it meanwhile, is asked for until it is free; the other streams go on. */
  async #bindAgain(worker: PoolWorker, known: KnownStream): Promise<void> {
    const { pool, log, clock } = this.#around;
    let problem: unknown = 'another program has it';
    try {
      if (await this.#isBoundAgain(worker, known)) return;
    } catch (error) {
      // Nothing can be had of a worker that died too.
      if (!pool.workers.includes(worker)) throw error;
      problem = error;
    }
    log.error({ recordingId: this.recordingId, ...known.address, problem }, 'the port cannot be had any more');
    clock.after(REBIND_RETRY_MS, () => {
      if (!known.removed && !this.#sealed && this.#worker === worker) this.#bindAgain(worker, known).catch(() => {});
    });
  }

  async #isBoundAgain(worker: PoolWorker, known: KnownStream): Promise<boolean> {
    const { spec: stream, address, announced } = known;
    // The announcement died with its worker; the client goes on sending to the same port.
    const again = announced && this.#around.announcements.announce(announced);
    await again?.bound;
    const announcement = again && { id: again.id, host: again.address.host };
    const { recordingId } = this;
    const request = { recordingId, stream, address, ...(announcement && { announcement }) };
    return (await worker.channel.call('addStream', request)).bound;
  }
}
