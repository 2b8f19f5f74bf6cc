// Recordings that we begin ourselves: a client is asked to be recorded (RFC 7866 §6.2).
import { z } from 'zod';
import { RecorderError } from '../../lib/errors.ts';
import { isAllowedTarget, parseSipTarget } from '../../lib/sip-target.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { RecordingInitiator } from '../../recording/control.ts';
import { isEverything } from '../../recording/scope.ts';
import { type Caller, LOCAL_CALLER } from '../caller.ts';
import { callerOf, type Server } from '../route-types.ts';
import { problems } from '../schemas.ts';

const MAX_DURATION_S = 604_800;

const recordBody = z.strictObject({
  uri: z
    .string()
    .max(400)
    .refine((text) => parseSipTarget(text) !== null, 'must be sip:[USER@]HOST[:PORT][;transport=udp|tcp|tls]')
    .describe('The recording client'),
  durationSeconds: z.number().int().min(1).max(MAX_DURATION_S).nullable().default(null),
});

/** `clients`: whom callers other than this machine's own command line may name. */
export function recordRoutes(
  server: Server,
  initiator: RecordingInitiator,
  clients: readonly string[],
  audit: AuditLog,
): void {
  server.post(
    '/api/record',
    {
      config: { access: 'manage' },
      schema: {
        summary: 'Ask a recording client to be recorded; waits for its answer, half a minute at most',
        tags: ['live'],
        body: recordBody,
        response: { 201: z.object({ recordingIds: z.array(z.string()) }), ...problems },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { uri, durationSeconds } = request.body;
      await audit.write({ action: 'record', who: caller.who, from: request.ip, detail: uri });
      mayCall(caller, uri, clients);
      const durationMs = durationSeconds === null ? null : durationSeconds * 1000;
      return reply.status(201).send({ recordingIds: await initiator.record({ uri, durationMs }) });
    },
  );
}

/** Throws DESTINATION_NOT_ALLOWED. Who sees only some recordings does not begin others. */
function mayCall({ who, scope }: Caller, uri: string, clients: readonly string[]): void {
  if (who === LOCAL_CALLER.who) return;
  if (!isEverything(scope)) throw new RecorderError('DESTINATION_NOT_ALLOWED', 'The token sees only some recordings.');
  if (!isAllowedTarget(parseSipTarget(uri)!, clients)) throw new RecorderError('DESTINATION_NOT_ALLOWED', uri);
}
