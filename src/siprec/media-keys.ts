// The SRTP keys of a recording session, over all its offers: what its streams may be sent with, and what we answer (RFC 4568).
import type { StreamSrtp } from '../recording/media.ts';
import { MAX_MASTER_KEYS } from '../rtp/srtp/context.ts';
import { type SrtpMasterKey, sameMasterKey } from '../rtp/srtp/master-key.ts';
import { type MasterKeyText, readMasterKey, writeMasterKey } from '../rtp/srtp/master-key-text.ts';
import { answerWithKey, type CryptoAnswer, chooseCrypto, freshMasterKey, receivingKeys } from './sdes.ts';
import type { OfferedMediaLine } from './sdp.ts';

/** Plain data. Holds key material: never to be logged. */
export interface MediaKeysSnapshot {
  own: [streamKey: string, key: MasterKeyText][];
  latest: MasterKeyText[];
}

/**
 * Forking proxies copy what the phones send to each other, under keys that the phones have agreed on; those stand in any
 * m-line, or stood in an earlier offer. So every key of the offer is a candidate for every stream, its own first.
 */
export class MediaKeys {
  readonly #random: (octets: number) => Uint8Array;
  /** Our own, by stream: the same in every answer as long as the suite is. */
  readonly #own: Map<string, SrtpMasterKey>;
  /** Of the latest offer that had any. */
  #latest: SrtpMasterKey[];

  /** @param random so many random octets */
  constructor(random: (octets: number) => Uint8Array, { own, latest }: MediaKeysSnapshot = { own: [], latest: [] }) {
    this.#random = random;
    this.#own = new Map(own.map(([streamKey, key]) => [streamKey, readMasterKey(key)]));
    this.#latest = latest.map(readMasterKey);
  }

  snapshot(): MediaKeysSnapshot {
    const own = Array.from(this.#own, ([streamKey, key]): [string, MasterKeyText] => [streamKey, writeMasterKey(key)]);
    return { own, latest: this.#latest.map(writeMasterKey) };
  }

  /** To be called with every offer, before `srtpOf`. */
  offered(lines: readonly OfferedMediaLine[]): void {
    const keys = distinct(lines.flatMap((line) => receivingKeys(line.crypto)));
    if (keys.length > 0) this.#latest = keys;
  }

  /** Undefined as long as nobody has spoken of keys. */
  srtpOf(line: OfferedMediaLine, streamKey: string): StreamSrtp | undefined {
    if (this.#latest.length === 0) return undefined;
    const receiving = distinct([...receivingKeys(line.crypto), ...this.#latest]).slice(0, MAX_MASTER_KEYS);
    const [own] = this.#answer(line, streamKey)?.keys ?? [];
    const sending: MasterKeyText | null = own ? writeMasterKey(own) : null;
    return { receiving: receiving.map(writeMasterKey), sending, plainToo: !insistsOnSrtp(line) };
  }

  /** The value of our `a=` line, with a key that stays as long as the suite does; null if there is nothing to answer. */
  answerFor(line: OfferedMediaLine, streamKey: string): string | null {
    return this.#answer(line, streamKey)?.attribute ?? null;
  }

  #answer(line: OfferedMediaLine, streamKey: string): CryptoAnswer | null {
    const chosen = chooseCrypto(line.crypto);
    if (chosen?.suite == null) return null;
    let own = this.#own.get(streamKey);
    if (own?.suite !== chosen.suite) {
      own = freshMasterKey(chosen.suite, this.#random);
      this.#own.set(streamKey, own);
    }
    return answerWithKey(chosen, own);
  }
}

/** RTP/SAVP and RTP/SAVPF; with RTP/AVP a key is an offer to do better, and the client may or may not use it. */
export function insistsOnSrtp({ protocol }: OfferedMediaLine): boolean {
  return /SAVP/i.test(protocol);
}

function distinct(keys: readonly SrtpMasterKey[]): SrtpMasterKey[] {
  return keys.filter((key, at) => keys.findIndex((other) => sameMasterKey(other, key)) === at);
}
