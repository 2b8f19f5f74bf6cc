// The mod_oreka door: FreeSWITCH's datagrams in, recordings out. Nothing is answered unless configured so.
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import type { Log } from '../lib/log.ts';
import { LogLimiter } from '../lib/log-limiter.ts';
import { PRIVATE_NETWORKS, plainAddress } from '../lib/networks.ts';
import type { ActiveRecording } from '../recording/recorder-interface.ts';
import { okTo } from './answer.ts';
import type { OrekaRecorder } from './call.ts';
import { Calls } from './calls.ts';
import { newCounters, type OrekaCounters } from './counters.ts';
import { readDatagram } from './datagram.ts';
import { type Endpoint, formatEndpoint, type Listener, openListener } from './listener.ts';
import type { OrekaDoorState } from './restored-calls.ts';
import { AllowedSources } from './sources.ts';

export interface OrekaDoorOptions {
  recorder: OrekaRecorder;
  /** IP addresses; port 0 takes a free one. */
  listeners: readonly Endpoint[];
  /** Addresses and networks whose texts are read. Default: loopback and private ones. */
  allowedSources?: readonly string[];
  /** Send a 200 OK for every INVITE and BYE. Default false: FreeSWITCH does not wait for it. */
  answer?: boolean;
  /** How long a recording goes on when only one of its two streams has ended. Default 10 s. */
  byeGraceMs?: number;
  /**
   * Ends a recording whose BYEs were lost, after so long without a packet. Long holds, queues and dialogues with a machine
   * are silent, too. Default: the recorder's own limit.
   */
  inactivityMs?: number;
  clock: Clock;
  log: Log;
}

/** A recording of a previous process, and what session.json has under `door`. */
export interface RestoredRecording {
  recording: ActiveRecording;
  door: unknown;
}

export interface OrekaDoor {
  /**
   * Goes on with its recordings among these, so that their BYEs find them. To be called before `start`. Returns, by recording id, what
   * is to be called when the recorder ends the recording.
   */
  restore(recordings: readonly RestoredRecording[]): Map<string, () => void>;
  /** Takes datagrams from here on. Returns the addresses as bound; rejects with LISTEN_FAILED, and then listens nowhere. */
  start(): Promise<Endpoint[]>;
  /** Recordings that FreeSWITCH has not ended. */
  readonly calls: number;
  readonly counters: OrekaCounters;
  /** Stops listening and ends the running recordings as `stopped`. Idempotent. */
  close(): Promise<void>;
}

const DEFAULT_BYE_GRACE_MS = 10_000;

/** Throws if an allowed source is neither an address nor a network. */
export function createOrekaDoor(options: OrekaDoorOptions): OrekaDoor {
  return new Door(options);
}

class Door implements OrekaDoor {
  readonly #options: OrekaDoorOptions;
  readonly #limiter: LogLimiter;
  readonly #sources: AllowedSources;
  readonly #counted = newCounters();
  readonly #calls: Calls;
  #listeners: Listener[] = [];
  #closed = false;

  constructor(options: OrekaDoorOptions) {
    this.#options = options;
    const { recorder, clock, log, byeGraceMs = DEFAULT_BYE_GRACE_MS, inactivityMs = null } = options;
    const limiter = new LogLimiter(clock);
    this.#limiter = limiter;
    this.#sources = new AllowedSources(options.allowedSources ?? PRIVATE_NETWORKS, { log, limiter });
    this.#calls = new Calls({ recorder, clock, log, limiter, counters: this.#counted, byeGraceMs, inactivityMs });
  }

  get calls(): number {
    return this.#calls.size;
  }

  get counters(): OrekaCounters {
    const { unreadable, ...counted } = this.#counted;
    return { ...counted, unreadable: { ...unreadable }, refusedSources: this.#sources.refused };
  }

  restore(recordings: readonly RestoredRecording[]): Map<string, () => void> {
    const own = recordings.flatMap(({ recording, door }) => (isOrekaState(door) ? [{ recording, door }] : []));
    return new Map(own.map(({ recording, door }) => [recording.id, this.#calls.restore(recording, door)]));
  }

  async start(): Promise<Endpoint[]> {
    const opening = this.#options.listeners.map((listen) => this.#open(listen));
    const opened = await Promise.allSettled(opening);
    this.#listeners = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failure = opened.find((result) => result.status === 'rejected');
    if (failure || this.#closed) await this.#stopListening();
    if (failure) throw failure.reason;
    return this.#listeners.map((listener) => listener.address);
  }

  readonly close = closeOnce(async () => {
    this.#closed = true;
    await this.#stopListening();
    await this.#calls.close('stopped');
  });

  async #open(listen: Endpoint): Promise<Listener> {
    const listener: Listener = await openListener(
      listen,
      (datagram, remote) => this.#receive(listener, datagram, remote),
      this.#options.log,
    );
    return listener;
  }

  async #stopListening(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }

  #receive(listener: Listener, datagram: Buffer, remote: Endpoint): void {
    if (!this.#sources.admits(remote.host)) return;
    const timeMs = this.#options.clock.nowMs();
    this.#counted.datagrams++;
    const reading = readDatagram(datagram);
    if (!reading.ok) {
      this.#counted.unreadable[reading.reason] = (this.#counted.unreadable[reading.reason] ?? 0) + 1;
      const suppressed = this.#limiter.pass('unreadable');
      const { reason } = reading;
      if (suppressed !== null)
        this.#options.log.warn(
          { peer: formatEndpoint(remote), reason, suppressed },
          'a datagram is not what mod_oreka sends',
        );
      return;
    }
    const { message } = reading;
    const journalSent = this.#calls.receive(message, {
      timeMs,
      datagram,
      remote: { host: plainAddress(remote.host), port: remote.port },
      local: listener.address,
    });
    if (!this.#options.answer) return;
    const answer = okTo(message);
    listener.send(answer, remote);
    journalSent?.(answer);
  }
}

/** session.json is our own file; another door's recordings are told apart by `kind`. */
function isOrekaState(door: unknown): door is OrekaDoorState {
  return typeof door === 'object' && door !== null && 'kind' in door && door.kind === 'oreka';
}
