// The process of those who listen: to running calls as the page does, piece by piece as it comes, and to finished recordings as a
// browser's player does, range by range, each at the speed at which it is heard.
import { sleep } from '../capacity/pace.ts';
import { EndlessWav } from './endless-wav.ts';
import { type Heard, judge } from './judge.ts';

export interface Access {
  url: string;
  token: string;
}

export interface WantedCall {
  recordingId: string;
  /** What caller and callee say. */
  hz: [number, number];
}

export type PeopleOrder =
  | { type: 'listen'; access: Access; calls: WantedCall[] }
  | { type: 'play'; access: Access; recordingIds: string[]; players: number }
  | { type: 'leave' };

export interface Played {
  requests: number;
  failed: number;
  /** From asking for a range to its last octet, sorted. */
  answerMs: number[];
}

export type PeopleNews =
  | { type: 'ready' }
  /** The first sound has reached everybody. */
  | { type: 'listening' }
  | { type: 'left'; heard: Heard[]; played: Played };

/** Two seconds of stereo at 8 kHz, asked for every two seconds. */
const RANGE_OCTETS = 64_000;
const RANGE_MS = 2_000;

const leaving = new AbortController();
const { signal } = leaving;
const played: Played = { requests: 0, failed: 0, answerMs: [] };
const listeners: Promise<Heard>[] = [];
const players: Promise<void>[] = [];

function headersOf({ token }: Access): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

async function listen(access: Access, { recordingId, hz }: WantedCall, begun: () => void): Promise<Heard> {
  const wav = new EndlessWav();
  const askedMs = Date.now();
  let failure: string | null = null;
  try {
    const response = await fetch(`${access.url}/api/live/${recordingId}/listen`, {
      headers: headersOf(access),
      signal,
    });
    if (!response.ok) failure = `HTTP ${response.status}`;
    else
      for await (const octets of response.body!) {
        wav.add(octets, Date.now());
        begun();
      }
    if (!signal.aborted) failure ??= 'it ended before the call';
  } catch (error) {
    if (!signal.aborted) failure = String(error);
  }
  begun();
  return judge(wav, { recordingId, hz, askedMs, failure });
}

async function play(access: Access, recordingId: string, waitMs: number): Promise<void> {
  await sleep(waitMs);
  for (let first = 0; !signal.aborted; ) {
    const beganMs = performance.now();
    played.requests++;
    try {
      const range = `bytes=${first}-${first + RANGE_OCTETS - 1}`;
      const headers = { ...headersOf(access), range };
      const response = await fetch(`${access.url}/api/recordings/${recordingId}/audio`, { headers, signal });
      const octets = (await response.arrayBuffer()).byteLength;
      const whole = Number(response.headers.get('content-range')?.split('/')[1]);
      if (response.status !== 206 || octets !== Math.min(RANGE_OCTETS, whole - first)) played.failed++;
      played.answerMs.push(performance.now() - beganMs);
      first += RANGE_OCTETS;
      // From the beginning again.
      if (first >= whole) first = 0;
    } catch {
      if (!signal.aborted) played.failed++;
    }
    await sleep(Math.max(0, RANGE_MS - (performance.now() - beganMs)));
  }
}

function tell(news: PeopleNews): void {
  process.send!(news);
}

process.on('message', (order: PeopleOrder) => {
  if (order.type === 'listen') {
    const all = order.calls.map((call) => {
      const begun = Promise.withResolvers<void>();
      listeners.push(listen(order.access, call, begun.resolve));
      return begun.promise;
    });
    void Promise.all(all).then(() => tell({ type: 'listening' }));
  } else if (order.type === 'play') {
    for (let i = 0; i < order.players; i++) {
      const recordingId = order.recordingIds[i % order.recordingIds.length]!;
      players.push(play(order.access, recordingId, (i * RANGE_MS) / order.players));
    }
  } else {
    leaving.abort();
    void Promise.all([Promise.all(listeners), ...players]).then(([heard]) => {
      played.answerMs.sort((a, b) => a - b);
      tell({ type: 'left', heard, played });
      process.disconnect();
    });
  }
});
tell({ type: 'ready' });
