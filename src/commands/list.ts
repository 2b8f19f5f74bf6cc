// `sipreel list`: finished recordings, newest first, all of them or those that answer a question.
import { parseArgs } from 'node:util';
import { recordingDocument } from '../recording/document.ts';
import { MAX_PAGE, type RecordingLibrary, type RecordingQuery, type SearchHit } from '../recording/library.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { withLibrary } from './local-library.ts';
import { readMoment, WHAT_A_MOMENT_IS } from './moment.ts';
import { describeParty, describeQuality, formatDuration, printable } from './show-recording.ts';

const { state: states, source: sources } = recordingDocument.shape;

export const LIST_USAGE = `sipreel list [filters] [--limit N] [--json] [--data DIR] [--config FILE]

Finished recordings, newest first. With --json one recording.json per line, with its directory. All filters have to fit.
Works beside the running recorder and without it.

  --number N      a party's whole number, however written
  --party TEXT    part of a party's name or address
  --text WORDS    words in parties, group, tags and notes, or whole identifiers
  --call-id ID    SIP Call-ID, communication session id or Session-ID
  --group ID, --tag TAG
  --from TIME     begun then or later: 2026-01-31, 2026-01-31T12:00:00Z, or 12h and 7d ago (days are UTC)
  --to TIME       begun before then
  --state STATE   ${states.options.join(', ')}
  --source DOOR   ${sources.options.join(', ')}
  --limit N       how many at the most (20; 0 for all)`;

const text = { type: 'string' } as const;
const OPTIONS = {
  number: text,
  party: text,
  text,
  'call-id': text,
  group: text,
  tag: text,
  from: text,
  to: text,
  state: text,
  source: text,
  limit: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  data: text,
  config: text,
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function list(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const limit = Number(values.limit);
  const query = Number.isInteger(limit) && limit >= 0 ? readQuery(values) : '--limit needs a whole number';
  if (typeof query === 'string') {
    console.error(query);
    return EXIT_USAGE;
  }
  return withLibrary(values, async ({ library, dataDirectory }) => {
    let shown = 0;
    let after: string | null = null;
    do {
      const room = limit === 0 ? MAX_PAGE : Math.min(MAX_PAGE, limit - shown);
      const page = await library.search(query, { limit: room, after });
      for (const hit of page.items) console.log(values.json ? jsonOf(await wholeOf(library, hit)) : line(hit));
      shown += page.items.length;
      after = page.next;
    } while (after !== null && (limit === 0 || shown < limit));
    if (shown === 0 && !values.json) {
      const asked = Object.keys(query).length > 0;
      console.log(asked ? 'No recording answers that.' : `No recordings in ${dataDirectory}.`);
    }
    return EXIT_OK;
  });
}

/** Or what is wrong. */
function readQuery(values: Values): RecordingQuery | string {
  const query: RecordingQuery = {};
  for (const name of ['number', 'party', 'text', 'group', 'tag'] as const) {
    const value = values[name];
    if (value !== undefined) query[name] = value;
  }
  if (values['call-id'] !== undefined) query.callId = values['call-id'];
  const state = states.safeParse(values.state);
  if (state.success) query.state = state.data;
  else if (values.state !== undefined) return `--state is one of ${states.options.join(', ')}`;
  const source = sources.safeParse(values.source);
  if (source.success) query.source = source.data;
  else if (values.source !== undefined) return `--source is one of ${sources.options.join(', ')}`;
  for (const [name, key] of [['from', 'fromMs'] as const, ['to', 'toMs'] as const]) {
    const value = values[name];
    if (value === undefined) continue;
    const ms = readMoment(value, Date.now());
    if (Number.isNaN(ms)) return `--${name} is ${WHAT_A_MOMENT_IS}, not ${value}`;
    query[key] = ms;
  }
  return query;
}

const jsonOf = ({ directory, document }: SearchHit) => JSON.stringify({ directory, ...document });

/** A hit lacks what is large. One that was deleted meanwhile is shown as it was found. */
const wholeOf = async (library: RecordingLibrary, hit: SearchHit) => (await library.get(hit.document.id)) ?? hit;

function line({ directory, document }: SearchHit): string {
  const start = document.times.start.slice(0, 19).replace('T', ' ');
  const parties = `${describeParty(document, 'caller')} > ${describeParty(document, 'callee')}`;
  const quality = document.source === 'import' ? 'handed in as a file' : describeQuality(document);
  const duration = formatDuration(document.times.durationMs).padStart(8);
  const facts = printable(`${start}  ${duration}  ${parties}  ${quality}`);
  return `${facts}\n    ${directory ?? `${document.id}, on another recorder`}`;
}
