// SRTP of one outgoing stream: the keys that its m-line offers (RFC 4568) and the one that protects its packets (RFC 3711).
import { randomBytes } from 'node:crypto';
import type { SrtpMasterKey } from '../rtp/srtp/master-key.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS, type SrtpSender } from '../rtp/srtp/sender.ts';
import { SRTP_SUITES, type SrtpSuite } from '../rtp/srtp/suites.ts';
import type { SrtpPlan } from './call-plan.ts';

const MKI_OCTETS = 1;

export class MediaProtection {
  readonly #plan: SrtpPlan;
  #offered: SrtpMasterKey[];
  #sender: SrtpSender;
  /** What is offered, but not agreed on yet. */
  #next: SrtpMasterKey[] | null = null;

  /** @param key protects the packets; absent: the first that the m-line offers */
  private constructor(plan: SrtpPlan, offered: SrtpMasterKey[], key = offered[0]!) {
    this.#plan = plan;
    this.#offered = offered;
    this.#sender = createSrtpSender(key);
  }

  /** One per party. */
  static forParties(plan: SrtpPlan, parties: number): MediaProtection[] {
    const offered = Array.from({ length: parties }, () => freshKeys(plan));
    return offered.map((keys, party) => {
      const owner = Array.isArray(plan.keys) ? plan.keys[party] : plan.keys;
      if (owner === 'crossed') return new MediaProtection(plan, keys, offered[(party + 1) % parties]![0]);
      return new MediaProtection(plan, keys, owner === 'unknown' ? freshKeys(plan)[0] : keys[0]);
    });
  }

  get protocol(): string {
    return this.#plan.protocol ?? 'RTP/SAVP';
  }

  /** The values of the m-line's crypto attributes. */
  get crypto(): string[] {
    const [first, ...others] = (this.#next ?? this.#offered).map(inline);
    return [`1 ${this.#plan.suite} ${[first, ...others].join(';')}`];
  }

  protectRtp(packet: Uint8Array): Uint8Array | null {
    const into = Buffer.allocUnsafe(packet.length + MAX_OVERHEAD_OCTETS);
    const octets = this.#sender.protectRtp(packet, 0, packet.length, into);
    return typeof octets === 'number' ? into.subarray(0, octets) : null;
  }

  protectRtcp(packet: Uint8Array): Uint8Array | null {
    const into = Buffer.allocUnsafe(packet.length + MAX_OVERHEAD_OCTETS);
    const octets = this.#sender.protectRtcp(packet, 0, packet.length, into);
    return typeof octets === 'number' ? into.subarray(0, octets) : null;
  }

  /** From now on the other of the m-line's two keys protects the packets: those told apart by MKI. */
  switchKey(): void {
    const other = this.#offered[1];
    if (!other) throw new RangeError('the stream has one key');
    this.#sender = createSrtpSender(other);
  }

  /** Fresh keys for the next offer. */
  offerFreshKeys(): void {
    this.#next = freshKeys(this.#plan);
  }

  /** That offer was answered, or refused. */
  settleOffer(accepted: boolean): void {
    if (accepted && this.#next) {
      this.#offered = this.#next;
      this.#sender = createSrtpSender(this.#next[0]!);
    }
    this.#next = null;
  }
}

function freshKeys({ suite, mki }: SrtpPlan): SrtpMasterKey[] {
  if (!mki) return [freshKey(suite)];
  return [1, 2].map((number) => ({ ...freshKey(suite), mki: Uint8Array.of(number) }));
}

function freshKey(suite: SrtpSuite): SrtpMasterKey {
  const { key, salt } = SRTP_SUITES[suite];
  return { suite, masterKey: randomBytes(key), masterSalt: randomBytes(salt) };
}

function inline({ masterKey, masterSalt, mki }: SrtpMasterKey): string {
  const text = `inline:${Buffer.concat([masterKey, masterSalt]).toString('base64')}`;
  return mki ? `${text}|2^31|${mki[0]}:${MKI_OCTETS}` : text;
}
