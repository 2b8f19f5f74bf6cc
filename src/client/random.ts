// A small seeded generator (xorshift32) for what tests want to repeat: sequence and timestamp starts, simulated loss.

export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform in 0 … 2^bits − 1, at most 32 bits. */
  bits(count: number): number;
}

export function seededRandom(seed: number): Random {
  // Zero is xorshift's fixed point; the multiplication spreads small seeds.
  let state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let warmUp = 0; warmUp < 4; warmUp++) next();
  return {
    fraction: () => next() / 0x1_0000_0000,
    bits: (count) => next() >>> (32 - count),
  };
}

/** Seeded from the system's generator. */
export function freshRandom(): Random {
  return seededRandom(crypto.getRandomValues(new Int32Array(1))[0]!);
}
