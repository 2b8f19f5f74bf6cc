// `sipreel deliveries`: events that wait for a receiver or were given up.
import { parseArgs } from 'node:util';
import { recorderDatabase } from '../config/recorder-database.ts';
import { recorderName } from '../config/recorder-name.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { Outbox, type StandingTask } from '../delivery/outbox.ts';
import { systemClock } from '../lib/clock.ts';
import { tellAgain } from './deliveries-again.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { readMoment, WHAT_A_MOMENT_IS } from './moment.ts';
import { processLog } from './process-log.ts';
import { configFromFlags } from './serve-options.ts';

export const DELIVERIES_USAGE = `sipreel deliveries [--dead] [--target NAME] [--replay [--event ID]] [--json] [--data DIR] [--config FILE]
sipreel deliveries --again --target NAME [--from TIME] [--to TIME]

Shows events that were not taken by their receivers yet. May run beside the recorder.

  --dead      only those that were given up
  --target    only those for this target
  --replay    send given-up events again: all of them, or the one of --event; a running recorder does so within a minute
  --again     have that target told of finished recordings of the past (again), also of those from before it was configured;
              the index is asked for them
  --from, --to  only of those that started in that time: ${WHAT_A_MOMENT_IS}
  --json      one JSON object per line`;

const MOST_SHOWN = 1_000;

export async function deliveries(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      dead: { type: 'boolean', default: false },
      target: { type: 'string' },
      replay: { type: 'boolean', default: false },
      event: { type: 'string' },
      again: { type: 'boolean', default: false },
      from: { type: 'string' },
      to: { type: 'string' },
      json: { type: 'boolean', default: false },
      data: { type: 'string' },
      config: { type: 'string' },
    },
  });
  const [fromMs, toMs] = [values.from, values.to].map((text) => text && readMoment(text, systemClock.wallMs()));
  if (Number.isNaN(fromMs) || Number.isNaN(toMs) || (values.again && values.target === undefined)) {
    console.error(DELIVERIES_USAGE);
    return EXIT_USAGE;
  }
  const config = await configFromFlags({ data: values.data, config: values.config });
  const log = processLog(config.log.level, 2);
  const wallMs = systemClock.wallMs();
  const database = recorderDatabase(config.index, storagePlaces(config).archive, { log, wallMs });
  const outbox = new Outbox(database.outbox, [], recorderName(config));
  try {
    if (values.again && values.target !== undefined) {
      const range = { ...(fromMs && { fromMs }), ...(toMs && { toMs }) };
      const told = await tellAgain(config, database, outbox, { target: values.target, range, nowMs: wallMs }, log);
      if (told === null) {
        console.error(`There is no target ${values.target} in delivery.targets.`);
        return EXIT_USAGE;
      }
      console.log(values.json ? JSON.stringify({ told }) : `${told} events will be sent.`);
      return EXIT_OK;
    }
    if (values.replay) {
      const count = await outbox.replay(values.event === undefined ? 'all' : { eventId: values.event }, wallMs);
      console.log(values.json ? JSON.stringify({ replayed: count }) : `${count} events will be sent again.`);
      return EXIT_OK;
    }
    const standing = await outbox.standing({
      ...(values.dead && { state: 'dead' as const }),
      ...(values.target !== undefined && { target: values.target }),
      limit: MOST_SHOWN,
    });
    for (const task of standing) console.log(values.json ? JSON.stringify(task) : lineOf(task));
    if (!values.json && standing.length === 0) console.log('Everything has been told.');
    return EXIT_OK;
  } finally {
    await database.close();
  }
}

function lineOf({ target, state, type, recordingId, attempts, failure, eventId, atMs }: StandingTask): string {
  const what = `${new Date(atMs).toISOString()} ${target}: ${type} of ${recordingId} (${eventId})`;
  const tries = attempts === 0 ? 'not tried yet' : `${attempts} ${attempts === 1 ? 'try' : 'tries'}, last: ${failure}`;
  return `${what} ${state === 'dead' ? 'given up' : 'waits'}, ${tries}`;
}
