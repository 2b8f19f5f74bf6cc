// `sipreel freeswitch`: recording on demand, through FreeSWITCH's event socket.
import { parseArgs } from 'node:util';
import { parseHostPort } from '../config/addresses.ts';
import { connectEventSocket, type EventSocket, type FreeswitchCall } from '../oreka/event-socket.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { configFromFlags } from './serve-options.ts';

export const FREESWITCH_USAGE = `sipreel freeswitch calls [--json]
sipreel freeswitch start UUID
sipreel freeswitch stop UUID

Lists FreeSWITCH's live channels, and starts or stops recording one with mod_oreka. "stop" on a channel that is not being
recorded starts a recording: FreeSWITCH takes it so. The password is taken from SIPREEL_FREESWITCH_PASSWORD or the
configuration file.

  --event-socket HOST:PORT   FreeSWITCH's event socket (127.0.0.1:8021)
  --config FILE              configuration with the section freeswitch
  --json                     one object per line`;

const TIMEOUT_MS = 5_000;

export async function freeswitch(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      'event-socket': { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [action, uuid, ...surplus] = positionals;
  const act = action === undefined ? undefined : ACTIONS[action];
  if (!act || surplus.length > 0 || (action !== 'calls') !== (uuid !== undefined)) {
    console.error(FREESWITCH_USAGE);
    return EXIT_USAGE;
  }
  const flags = { config: values.config, 'event-socket': values['event-socket'] };
  const { freeswitch: settings } = await configFromFlags(flags);
  if (settings.password === null) {
    console.error('The event socket password is missing: set SIPREEL_FREESWITCH_PASSWORD or freeswitch.password.');
    return EXIT_USAGE;
  }
  const address = parseHostPort(settings.eventSocket)!;
  try {
    const log = processLog('error', 2);
    const socket = await connectEventSocket({ ...address, password: settings.password, log, timeoutMs: TIMEOUT_MS });
    try {
      await act(socket, uuid ?? '', values.json ? JSON.stringify : describe);
    } finally {
      await socket.close();
    }
    return EXIT_OK;
  } catch (error) {
    console.error((error as Error).message);
    return EXIT_FAILED;
  }
}

type Action = (socket: EventSocket, uuid: string, format: (call: FreeswitchCall) => string) => Promise<void>;

const ACTIONS: Record<string, Action | undefined> = {
  async calls(socket, _uuid, format) {
    for (const call of await socket.listCalls()) console.log(format(call));
  },
  async start(socket, uuid) {
    await socket.startRecording(uuid);
    console.log(`FreeSWITCH was told to record ${uuid}.`);
  },
  async stop(socket, uuid) {
    await socket.stopRecording(uuid);
    console.log(`FreeSWITCH was told to stop recording ${uuid}.`);
  },
};

function describe({ uuid, created, direction, callerName, callerNumber, destination, state }: FreeswitchCall): string {
  const caller = callerName && callerName !== callerNumber ? `${callerName} (${callerNumber})` : callerNumber;
  return `${uuid}  ${created ?? 'unknown time'}  ${direction.padEnd(8)}  ${caller} > ${destination}  ${state}`;
}
