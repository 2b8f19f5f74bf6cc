// SIP messages out of TCP segments (RFC 3261 §18.3): in order of their sequence numbers, cut by Content-Length.
import type { Endpoint } from './captured.ts';

/** Octets of one direction that no message could be made of are forgotten beyond this. */
const MAX_PENDING_OCTETS = 1 << 20;
const MAX_EARLY_SEGMENTS = 256;
const MAX_DIRECTIONS = 1024;

interface Direction {
  /** Sequence number of the next octet. */
  next: number;
  pending: Buffer;
  /** Segments ahead of a hole. */
  early: Map<number, Buffer>;
}

export class SipSegments {
  readonly #directions = new Map<string, Direction>();

  /** Takes in a segment. Returns the messages that it completes. */
  add(
    { source, destination }: { source: Endpoint; destination: Endpoint },
    sequence: number,
    payload: Buffer,
  ): string[] {
    if (payload.length === 0) return [];
    const key = `${source.host} ${source.port} ${destination.host} ${destination.port}`;
    let direction = this.#directions.get(key);
    if (!direction) {
      if (this.#directions.size >= MAX_DIRECTIONS) return [];
      direction = { next: sequence, pending: Buffer.alloc(0), early: new Map() };
      this.#directions.set(key, direction);
    }
    const distance = (sequence - direction.next) | 0;
    if (distance > 0) {
      direction.early.set(sequence, Buffer.from(payload));
      // What is missing was not captured.
      if (direction.early.size > MAX_EARLY_SEGMENTS) jump(direction);
    } else append(direction, payload.subarray(Math.min(payload.length, -distance)));
    for (let early = direction.early.get(direction.next); early; early = direction.early.get(direction.next)) {
      direction.early.delete(direction.next);
      append(direction, early);
    }
    return takeMessages(direction);
  }
}

function append(direction: Direction, payload: Buffer): void {
  direction.pending = Buffer.concat([direction.pending, payload]);
  direction.next = (direction.next + payload.length) >>> 0;
  if (direction.pending.length > MAX_PENDING_OCTETS) direction.pending = Buffer.alloc(0);
}

function jump(direction: Direction): void {
  const [first] = [...direction.early.keys()].sort((a, b) => (a - b) | 0);
  direction.pending = Buffer.alloc(0);
  direction.next = first!;
}

function takeMessages(direction: Direction): string[] {
  const messages: string[] = [];
  for (;;) {
    const head = direction.pending.toString('latin1').trimStart();
    const skipped = direction.pending.length - head.length;
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return messages;
    if (!/^(?:SIP\/2\.0 \d{3}|[A-Z]+ \S+ SIP\/2\.0)/.test(head)) {
      // The capture began inside a message, or this is no SIP.
      direction.pending = direction.pending.subarray(skipped + end + 4);
      continue;
    }
    const length = Number(/^(?:content-length|l)\s*:\s*(\d+)/im.exec(head.slice(0, end))?.[1] ?? 0);
    const total = skipped + end + 4 + length;
    if (direction.pending.length < total) return messages;
    messages.push(direction.pending.toString('utf8', skipped, total));
    direction.pending = direction.pending.subarray(total);
  }
}
