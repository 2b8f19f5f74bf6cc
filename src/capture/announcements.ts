// The main thread's side of announced ports: all of them live in one worker, so that recordings can share a socket.
import { RecorderError } from '../lib/errors.ts';
import type { AnnouncedAddress, AnnouncedPort } from '../recording/media.ts';
import type { PoolWorker, WorkerPool } from './pool.ts';
import type { PortPool } from './ports.ts';

/** An announced port, as the session that claims it needs it. */
export interface Announcement extends AnnouncedPort {
  readonly id: number;
  /** Where it is being bound. Rejects with CAPTURE_FAILED. */
  readonly worker: Promise<PoolWorker>;
}

export function isAnnouncement(port: AnnouncedPort): port is Announcement {
  return 'id' in port && 'worker' in port;
}

export class Announcements {
  readonly #pool: WorkerPool;
  readonly #ports: PortPool;
  #nextId = 1;

  constructor(pool: WorkerPool, ports: PortPool) {
    this.#pool = pool;
    this.#ports = ports;
  }

  announce(address: AnnouncedAddress): Announcement {
    const id = this.#nextId++;
    const worker = this.#pool.first();
    const bound = this.#bind(id, address, worker);
    bound.catch(() => {});
    worker.catch(() => {});
    let released = false;
    return {
      id,
      address,
      worker,
      bound,
      release: () => {
        if (released) return;
        released = true;
        worker.then(({ channel }) => channel.notify({ type: 'releaseAnnouncement', id })).catch(() => {});
      },
    };
  }

  async #bind(id: number, address: AnnouncedAddress, placed: Promise<PoolWorker>): Promise<void> {
    const worker = await placed;
    // The request for an early end of a rest goes first; only then can the port be bound.
    const rtpPort = address.port - (address.port % 2);
    const resting = this.#pool.workers.find((other) => other.restingPorts.has(rtpPort));
    if (resting) await resting.channel.call('endRest', { rtpPort });
    // In our own range it must not be given to anybody else meanwhile; the worker tells when it is free again.
    // Taken already: for another announcement of the same port, or it fails to bind.
    const reserved = this.#ports.reserve(rtpPort);
    const { problem } = await worker.channel.call('announce', { id, address });
    if (problem === null) return;
    if (reserved) this.#ports.giveBack(rtpPort);
    const why = problem === 'EADDRINUSE' ? 'is used by another call or program' : `cannot be bound (${problem})`;
    throw new RecorderError('PORT_UNAVAILABLE', `${address.host}:${address.port} ${why}.`);
  }
}
