// The sliding window of one stream: samples that may still be joined by late packets, and which places are taken.

/** A power of two that holds so many frames. */
function ringFrames(frames: number): number {
  return 2 ** Math.ceil(Math.log2(frames));
}

/** A ring over frame numbers that grow without end. The owner clears what has left the window. */
export class SampleRing {
  readonly samples: Int16Array;
  readonly mask: number;

  constructor(frames: number) {
    this.samples = new Int16Array(ringFrames(frames));
    this.mask = this.samples.length - 1;
  }

  get frames(): number {
    return this.samples.length;
  }

  /** Where a frame number stands; negative ones too. */
  indexOf(frame: number): number {
    return frame & this.mask;
  }

  write(frame: number, from: Int16Array, count: number): void {
    const at = frame & this.mask;
    const first = Math.min(count, this.samples.length - at);
    this.samples.set(from.subarray(0, first), at);
    if (first < count) this.samples.set(from.subarray(first, count), 0);
  }

  read(frame: number, into: Int16Array, count: number): void {
    const at = frame & this.mask;
    const first = Math.min(count, this.samples.length - at);
    into.set(this.samples.subarray(at, at + first));
    if (first < count) into.set(this.samples.subarray(0, count - first), first);
  }

  clear(frame: number, count: number): void {
    fillRing(this.samples, this.mask, frame, count, 0);
  }
}

/** Who has written a place: 0 nobody, otherwise the stretch's tag. */
export class PlaceRing {
  readonly tags: Uint8Array;
  readonly mask: number;

  constructor(frames: number) {
    this.tags = new Uint8Array(ringFrames(frames));
    this.mask = this.tags.length - 1;
  }

  mark(frame: number, count: number, tag: number): void {
    fillRing(this.tags, this.mask, frame, count, tag);
  }

  /** Marks what nobody had taken. */
  markFree(frame: number, count: number, tag: number): void {
    for (let i = 0; i < count; i++) {
      const at = (frame + i) & this.mask;
      if (this.tags[at] === 0) this.tags[at] = tag;
    }
  }

  at(frame: number): number {
    return this.tags[frame & this.mask]!;
  }

  /** Number of places taken among `count`. */
  taken(frame: number, count: number): number {
    let taken = 0;
    for (let i = 0; i < count; i++) if (this.tags[(frame + i) & this.mask] !== 0) taken++;
    return taken;
  }

  /** The first free place in `[from, to)`, or `to`. */
  nextFree(from: number, to: number): number {
    let frame = from;
    while (frame < to) {
      const at = frame & this.mask;
      const span = Math.min(to - frame, this.tags.length - at);
      const found = this.tags.subarray(at, at + span).indexOf(0);
      if (found >= 0) return frame + found;
      frame += span;
    }
    return to;
  }

  /** The first taken place in `[from, to)`, or `to`. */
  nextTaken(from: number, to: number): number {
    for (let frame = from; frame < to; frame++) if (this.tags[frame & this.mask] !== 0) return frame;
    return to;
  }
}

function fillRing(ring: Int16Array | Uint8Array, mask: number, frame: number, count: number, value: number): void {
  const at = frame & mask;
  const end = at + count;
  if (end <= ring.length) {
    ring.fill(value, at, end);
  } else {
    ring.fill(value, at);
    ring.fill(value, 0, end - ring.length);
  }
}
