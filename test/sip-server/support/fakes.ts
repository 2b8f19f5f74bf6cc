// A flow and a clock that show what a transaction does with them.
import type { Timer } from '../../../src/lib/clock.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import type { Address, Flow, Target } from '../../../src/sip-server/transport/flow.ts';
import { TransportError } from '../../../src/sip-server/transport/flow.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { parsed } from './messages.ts';

/** A ManualClock that knows the delays of the timers that run. */
export class WatchedClock extends ManualClock {
  readonly #running = new Set<{ delayMs: number }>();

  override after(delayMs: number, fire: () => void): Timer {
    const entry = { delayMs };
    this.#running.add(entry);
    const timer = super.after(delayMs, () => {
      this.#running.delete(entry);
      fire();
    });
    return {
      cancel: () => {
        this.#running.delete(entry);
        timer.cancel();
      },
    };
  }

  /** Delays of the running timers in ms, as they were set, ascending. */
  get delays(): number[] {
    return [...this.#running].map(({ delayMs }) => delayMs).sort((a, b) => a - b);
  }
}

export class FakeFlow implements Flow {
  readonly transport: 'udp' | 'tcp';
  readonly reliable: boolean;
  readonly local: Address = { host: '127.0.0.1', port: 5060 };
  readonly remote: Address;
  readonly sent: SipMessage[] = [];
  closed = false;
  /** What send() rejects with; a failing TCP flow is closed by it. */
  failure: Error | null = null;

  constructor(transport: 'udp' | 'tcp' = 'udp', port = 5080) {
    this.transport = transport;
    this.reliable = transport === 'tcp';
    this.remote = { host: '127.0.0.1', port };
  }

  async send(bytes: Buffer): Promise<void> {
    if (this.closed) throw new TransportError('CLOSED', 'closed');
    if (this.failure) {
      if (this.reliable) this.closed = true;
      throw this.failure;
    }
    this.sent.push(parsed(bytes));
  }

  /** What was sent since the last call: `100`, `200 to CANCEL`, or a method. */
  take(): string[] {
    return this.sent.splice(0).map((message) => {
      if (message.kind === 'request') return message.method;
      return message.method === 'CANCEL' ? `${message.statusCode} to CANCEL` : `${message.statusCode}`;
    });
  }
}

/** Transports whose flows are all fake: the answer flow is the request's own, every target the same flow. */
export class FakeTransports {
  readonly targets: Target[] = [];
  /** What flowTo gives; an Error is thrown. */
  next: FakeFlow | Error;

  constructor(next: FakeFlow | Error = new FakeFlow()) {
    this.next = next;
  }

  async flowTo(target: Target): Promise<Flow> {
    this.targets.push(target);
    if (target.flow && !target.flow.closed) return target.flow;
    if (this.next instanceof Error) throw this.next;
    return this.next;
  }

  answerFlow(_request: SipMessage, flow: Flow): Flow {
    return flow;
  }

  async localAddressFor(flow: Flow): Promise<Address> {
    return flow.local;
  }
}

/** Lets everything that waits only for promises happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
