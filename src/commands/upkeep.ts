// `sipreel upkeep`: older recordings are to become what the settings say now.
import { parseArgs } from 'node:util';
import { newOrder, OrderFile, type UpkeepOrder } from '../archive/upkeep/order-file.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { readMoment, WHAT_A_MOMENT_IS } from './moment.ts';
import { configFromFlags } from './serve-options.ts';

export const UPKEEP_USAGE = `sipreel upkeep [--from TIME] [--to TIME] [--status | --cancel] [--json] [--data DIR] [--config FILE]

Has the recorder go over finished recordings, newest first, and bring each to what the settings ask for now: encrypted
(encryption), copied into the store (s3.bucket), with copies in other formats (audio.formats). New recordings need no order.
A running recorder begins within a minute, else the next one when it starts; it goes on where it was after a restart.

  --from, --to   only those that started in that time: ${WHAT_A_MOMENT_IS}
  --status       how far it is
  --cancel       leave it where it is`;

export async function upkeep(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args,
    options: { from: text, to: text, status: flag, cancel: flag, json: flag, data: text, config: text },
  });
  const config = await configFromFlags({ data: values.data, config: values.config });
  const orders = new OrderFile(storagePlaces(config).archive);
  const standing = await orders.read();
  const tell = (words: string, order: UpkeepOrder | null) =>
    console.log(values.json ? JSON.stringify({ order }) : words);
  if (values.status) {
    tell(standing ? describe(standing) : 'Nothing is on order.', standing);
    return EXIT_OK;
  }
  if (values.cancel) {
    await orders.remove();
    tell(standing ? `Cancelled. ${describe(standing)}` : 'Nothing was on order.', null);
    return EXIT_OK;
  }
  const fromMs = values.from === undefined ? null : readMoment(values.from, Date.now());
  const toMs = values.to === undefined ? null : readMoment(values.to, Date.now());
  if (Number.isNaN(fromMs) || Number.isNaN(toMs)) {
    console.error(`--from and --to are ${WHAT_A_MOMENT_IS}`);
    return EXIT_USAGE;
  }
  const { audio, encryption, s3 } = config;
  if (
    audio.formats.length === 0 &&
    encryption.keyFile === null &&
    encryption.masterKey === null &&
    s3.bucket === null
  ) {
    console.error('Nothing is to be done: neither encryption, nor s3.bucket, nor audio.formats is set.');
    return EXIT_FAILED;
  }
  if (standing) {
    console.error(`There is an order already. ${describe(standing)} --cancel ends it.`);
    return EXIT_FAILED;
  }
  const order = newOrder(fromMs, toMs);
  await orders.write(order);
  tell('On order. sipreel upkeep --status says how far it is.', order);
  return EXIT_OK;
}

function describe({ done, failed, after }: UpkeepOrder): string {
  const failures = failed > 0 ? `, ${failed} failed: see the log` : '';
  return after === null ? 'It has not begun yet.' : `${done} recordings looked after so far${failures}.`;
}
