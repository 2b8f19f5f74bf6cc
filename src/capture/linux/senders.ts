// The senders that one port remembers: from the kernel's socket address to the object that consumers compare by identity.
import type { DatagramSource } from '../receiver.ts';
import { SOCKADDR_IN6 } from './layouts.ts';
import { readHost, readPort } from './socket-address.ts';

/** Who came first goes first, as in the portable receiver. */
const MAX_SENDERS = 16;

interface Sender {
  readonly key: readonly number[];
  readonly source: DatagramSource;
}

/**
 * Compares words of memory, never text. Family and port are the first word of both kinds of address; the address is the
 * second word of the one, and the third to the sixth of the other, with the interface in the seventh.
 */
export class Senders {
  readonly #ipv6: boolean;
  readonly #senders: Sender[] = [];
  #last: DatagramSource = { host: '', port: -1 };
  /** The last one's words; no address begins with 0. */
  #word0 = 0;
  #word1 = 0;
  #word2 = 0;
  #word3 = 0;
  #word4 = 0;
  #word5 = 0;

  constructor(ipv6: boolean) {
    this.#ipv6 = ipv6;
  }

  /** The source of the socket address that begins at octet `at`, a multiple of 4. The same object for the same sender. */
  at(octets: Uint8Array, words: Int32Array, at: number): DatagramSource {
    const word = at >>> 2;
    if (words[word] === this.#word0) {
      if (!this.#ipv6) {
        if (words[word + 1] === this.#word1) return this.#last;
      } else if (
        words[word + 5] === this.#word4 &&
        words[word + 2] === this.#word1 &&
        words[word + 3] === this.#word2 &&
        words[word + 4] === this.#word3 &&
        words[word + 6] === this.#word5
      ) {
        return this.#last;
      }
    }
    return this.#recall(octets, words, at);
  }

  #recall(octets: Uint8Array, words: Int32Array, at: number): DatagramSource {
    const key = this.#key(words, at >>> 2);
    let sender = this.#senders.find((other) => other.key.every((value, i) => value === key[i]));
    if (!sender) {
      sender = { key, source: { host: readHost(octets, at), port: readPort(octets, at) } };
      if (this.#senders.length >= MAX_SENDERS) this.#senders.shift();
      this.#senders.push(sender);
    }
    [this.#word0, this.#word1, this.#word2, this.#word3, this.#word4, this.#word5] = sender.key as Key;
    this.#last = sender.source;
    return sender.source;
  }

  #key(words: Int32Array, word: number): Key {
    if (!this.#ipv6) return [words[word]!, words[word + 1]!, 0, 0, 0, 0];
    const address = word + SOCKADDR_IN6.address / 4;
    return [
      words[word]!,
      words[address]!,
      words[address + 1]!,
      words[address + 2]!,
      words[address + 3]!,
      words[word + SOCKADDR_IN6.scopeId / 4]!,
    ];
  }
}

type Key = readonly [number, number, number, number, number, number];
