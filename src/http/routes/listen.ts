// Listening to running calls: their sound, and events for whoever watches them. Both go on until the call, the right to it, or
// the asker's patience ends; whoever does not take what is sent is let go.
import { PassThrough } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { RecordingControl } from '../../recording/control.ts';
import { callInScope } from '../../recording/scope.ts';
import type { LivePiece } from '../../render/live/live-audio.ts';
import { may } from '../caller.ts';
import { type Doormen, identify } from '../identify.ts';
import type { LiveEars } from '../live-ears.ts';
import { endlessWavHeader, octetsOf } from '../pcm-stream.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { idParams, problems } from '../schemas.ts';
import { liveFor, shownCall } from './live.ts';

export const MAX_LISTENERS = 100;
const MAX_WATCHERS = 100;
/** Calls whose meters one watcher sees: the newest. */
const MAX_METERS = 50;
/** Not taken by the asker, beyond what the kernel keeps: some seconds of sound. */
const MAX_WAITING_OCTETS = 256 << 10;
const LEVELS_MS = 250;
/** How often running calls, and the right to see them, are looked at. */
const CHECK_MS = 1_000;
/** Calls are told again so often even if nothing changed. */
const CALLS_MS = 5_000;

export interface ListenParts {
  control: RecordingControl;
  ears: LiveEars;
  doormen: Doormen;
  audit: AuditLog;
  clock: Clock;
}

export function listenRoutes(server: Server, { control, ears, doormen, audit, clock }: ListenParts): void {
  const tags = ['live'];
  let listeners = 0;
  let watchers = 0;

  /** Null as soon as the asker may not any more what was allowed at the beginning. */
  async function stillMay(request: FastifyRequest) {
    const caller = await identify(request, doormen).catch(() => null);
    return caller && may(caller.role, 'listen') ? caller : null;
  }

  server.get(
    '/api/live/:id/listen',
    {
      config: { access: 'listen' },
      exposeHeadRoute: false,
      schema: {
        summary: 'Hear a running call',
        description: 'A WAV without an end: 16 bits, caller left, callee right, less than a second late.',
        tags,
        params: idParams,
        response: { 200: z.any().describe('audio/wav'), ...problems },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { recordingId } = liveFor(caller, control, request.params.id);
      if (listeners >= MAX_LISTENERS) {
        throw new HttpProblem(503, 'TOO_MANY_LISTENERS', 'Too many people listen to running calls: try again later.');
      }
      listeners++;
      const waiting: LivePiece[] = [];
      let take = (piece: LivePiece | null) => void (piece && waiting.push(piece));
      const leave = ears.add(recordingId, (piece) => take(piece));
      let check: Timer | undefined;
      const end = once(() => {
        listeners--;
        check?.cancel();
        leave();
      });
      try {
        await audit.write({ action: 'listen', who: caller.who, from: request.ip, recordingId });
        const sampleRateHz = await ears.sampleRateHz(recordingId);
        if (sampleRateHz === null) throw new HttpProblem(404, 'NOT_FOUND', 'It cannot be heard, or has ended.');
        const sound = new PassThrough();
        sound.write(endlessWavHeader(sampleRateHz));
        take = (piece) => {
          if (!piece) sound.end();
          else if (sound.readableLength + sound.writableLength > MAX_WAITING_OCTETS) sound.destroy();
          else sound.write(octetsOf(piece.samples));
        };
        // From now on: what was said while the line was written would stay a delay for ever.
        for (const piece of waiting.slice(-1)) take(piece);
        const look = async () => {
          const now = await stillMay(request);
          const call = control.running(recordingId)?.call;
          if (sound.destroyed) return;
          if (!now || !call || !callInScope(call, now.scope)) sound.end();
          else check = clock.after(CHECK_MS, () => void look());
        };
        check = clock.after(CHECK_MS, () => void look());
        sound.once('close', end);
        if (reply.raw.destroyed) sound.destroy();
        else reply.raw.once('close', () => sound.destroy());
        return reply.type('audio/wav').send(sound);
      } catch (error) {
        end();
        throw error;
      }
    },
  );

  server.get(
    '/api/live/events',
    {
      config: { access: 'listen' },
      exposeHeadRoute: false,
      schema: {
        summary: 'Running calls and how loud they are, as they change',
        description:
          'Server-sent events. `calls`: `nowMs` (clock of the recorder) and `items` as of /api/live. `levels`: by recording, ' +
          'dBFS of each channel.',
        tags,
        response: { 200: z.any().describe('text/event-stream'), ...problems },
      },
    },
    async (request, reply) => {
      callerOf(request);
      if (watchers >= MAX_WATCHERS) {
        throw new HttpProblem(503, 'TOO_MANY_WATCHERS', 'Too many people watch running calls: try again later.');
      }
      watchers++;
      const events = new PassThrough();
      const meters = new Map<string, () => void>();
      let levels: Record<string, [number, number]> = {};
      let told = '';
      let toldMs = 0;
      let checkedMs = Number.NEGATIVE_INFINITY;
      let timer: Timer | undefined;
      const tell = (event: string, data: unknown) => events.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

      const calls = async () => {
        const caller = await stillMay(request);
        if (!caller) return void events.end();
        const items = control
          .live()
          .filter(({ call }) => callInScope(call, caller.scope))
          .map(shownCall);
        const metered = new Set(items.slice(0, MAX_METERS).map(({ recordingId }) => recordingId));
        for (const [id, leave] of meters) if (!metered.has(id) && meters.delete(id)) leave();
        if (events.destroyed) return;
        for (const id of metered)
          if (!meters.has(id))
            meters.set(
              id,
              ears.add(id, (piece) => heard(id, piece)),
            );
        const text = JSON.stringify(items.map(({ streams, ...item }) => [item, streams.map(unsteady)]));
        if (text === told && clock.nowMs() < toldMs + CALLS_MS) return;
        told = text;
        toldMs = clock.nowMs();
        tell('calls', { nowMs: clock.nowMs(), items });
      };
      const heard = (id: string, piece: LivePiece | null) => {
        if (piece) levels[id] = piece.levelsDb;
        else meters.delete(id);
      };
      const turn = async () => {
        if (clock.nowMs() >= checkedMs + CHECK_MS) {
          checkedMs = clock.nowMs();
          await calls();
        }
        if (events.destroyed || events.writableEnded) return;
        if (events.readableLength + events.writableLength > MAX_WAITING_OCTETS) return void events.destroy();
        if (Object.keys(levels).length > 0) tell('levels', levels);
        levels = {};
        timer = clock.after(LEVELS_MS, () => void turn());
      };
      events.once('close', () => {
        watchers--;
        timer?.cancel();
        for (const leave of meters.values()) leave();
      });
      if (reply.raw.destroyed) events.destroy();
      else reply.raw.once('close', () => events.destroy());
      void turn();
      return reply.type('text/event-stream').send(events);
    },
  );
}

/** Counters move all the time: they are no news. */
const unsteady = ({ packets: _, lastPacketMs, ...stream }: ReturnType<typeof shownCall>['streams'][number]) => ({
  ...stream,
  heard: lastPacketMs !== null,
});

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
