// Running recordings: what they are, and pause, resume, stop.
import { z } from 'zod';
import { RecorderError } from '../../lib/errors.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { ControlTarget, LiveRecordingView, RecordingControl } from '../../recording/control.ts';
import { callInScope } from '../../recording/scope.ts';
import type { Caller } from '../caller.ts';
import { callerOf, type Server } from '../route-types.ts';
import { idParams, problems } from '../schemas.ts';

const id = z.string().min(1).max(256);
const target = z
  .discriminatedUnion('scope', [
    z.strictObject({ scope: z.literal('call') }),
    z.strictObject({ scope: z.literal('stream'), streamId: id }),
    z.strictObject({ scope: z.literal('party'), participantId: id }),
  ])
  .default({ scope: 'call' }) satisfies z.ZodType<ControlTarget>;
const reason = z.string().trim().max(1_000).nullable().default(null);

const liveRecording = z.object({
  recordingId: z.string(),
  source: z.enum(['siprec', 'oreka', 'import']),
  startMs: z.number().describe('Unix ms'),
  participants: z.array(
    z.object({ participantId: z.string(), aor: z.string().nullable(), name: z.string().nullable() }),
  ),
  sipCallId: z.string(),
  groupId: z.string().nullable(),
  streams: z.array(
    z.object({
      streamId: z.string(),
      label: z.string().nullable(),
      channel: z.number().nullable(),
      participantId: z.string().nullable().describe('Who sends it, as far as that is known'),
      receiving: z.boolean().describe('False while the client holds it'),
      paused: z.boolean().describe('By us'),
      packets: z.number().optional(),
      lastPacketMs: z.number().nullable(),
    }),
  ),
  paused: z.boolean(),
  peer: z.string().nullable(),
});

export function liveRoutes(server: Server, control: RecordingControl, audit: AuditLog): void {
  const tags = ['live'];
  server.get(
    '/api/live',
    {
      config: { access: 'listen' },
      schema: {
        summary: 'Running recordings, newest first',
        tags,
        response: { 200: z.object({ items: z.array(liveRecording) }), ...problems },
      },
    },
    async (request) => {
      const { scope } = callerOf(request);
      return {
        items: control
          .live()
          .filter(({ call }) => callInScope(call, scope))
          .map(shownCall),
      };
    },
  );

  for (const action of ['pause', 'resume', 'stop'] as const) {
    server.post(
      `/api/live/:id/${action}`,
      {
        config: { access: 'manage' },
        schema: {
          summary: SUMMARIES[action],
          tags,
          params: idParams,
          body: (action === 'stop'
            ? z.strictObject({ reason })
            : z.strictObject({ target, reason })) as typeof orderBody,
          response: { 204: z.null().describe('Done'), ...problems },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        const { recordingId } = liveFor(caller, control, request.params.id);
        const { target: about = { scope: 'call' }, reason: why } = request.body;
        const detail = [action === 'stop' ? null : JSON.stringify(about), why].filter(Boolean).join(' ');
        await audit.write({ action, who: caller.who, from: request.ip, recordingId, detail });
        const by = caller.who === 'local' ? 'cli' : `api:${caller.name}`;
        await control[action](recordingId, { target: about, by, reason: why });
        return reply.status(204).send(null);
      },
    );
  }
}

const orderBody = z.strictObject({ target: target.optional(), reason });

const SUMMARIES = {
  pause: 'Record nothing of the call, a party or a stream for now',
  resume: 'Record again',
  stop: 'End the recording; the call goes on',
};

/** Throws NOT_FOUND, also for what is outside the caller's scope. */
export function liveFor({ scope }: Caller, control: RecordingControl, recordingId: string): LiveRecordingView {
  const view = control.running(recordingId);
  if (!view || !callInScope(view.call, scope)) throw new RecorderError('NOT_FOUND', 'Or it has ended.');
  return view;
}

export function shownCall({ call, ...view }: LiveRecordingView): z.infer<typeof liveRecording> {
  return {
    ...view,
    participants: call.participants.map(({ participantId, aor, name }) => ({ participantId, aor, name })),
    sipCallId: call.identifiers.sipCallId,
    groupId: call.identifiers.groupId,
  };
}
