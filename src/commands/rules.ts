// `sipreel rules test`: what the configured rules say about a call, and why.
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { formatHostPort } from '../config/addresses.ts';
import type { CallDescription, CallParticipant } from '../recording/call.ts';
import {
  type CallFacts,
  type Judgement,
  type RecordingRule,
  RecordingRules,
  type RuleTrial,
} from '../recording/rules.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { configFromFlags } from './serve-options.ts';

export const RULES_USAGE = `sipreel rules test [--config FILE] [options]

Says what the rules of the configuration (rules.list) make of a call, rule by rule.

  --caller ADDRESS      who calls: 1001, sip:1001@example.com, tel:+4930…
  --callee ADDRESS      who is called
  --participant ADDRESS a further party; may be repeated
  --group ID            group id in the metadata
  --header "NAME: VALUE"  a header field of the INVITE; may be repeated
  --source NAME         siprec (default) or oreka
  --peer ADDRESS        IP address that the call is sent from
  --preference WISH     on, off, pause or nopreference
  --unknown             the parties are not known yet: no metadata has come
  --json                print the result as JSON`;

const OPTIONS = {
  config: { type: 'string' },
  caller: { type: 'string' },
  callee: { type: 'string' },
  participant: { type: 'string', multiple: true, default: [] as string[] },
  group: { type: 'string' },
  header: { type: 'string', multiple: true, default: [] as string[] },
  source: { type: 'string', default: 'siprec' },
  peer: { type: 'string' },
  preference: { type: 'string' },
  unknown: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

const PREFERENCES = ['on', 'off', 'pause', 'nopreference'] as const;

export async function rules(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const mistakes: string[] = [];
  if (positionals.join(' ') !== 'test') mistakes.push('Say what to do: sipreel rules test');
  if (values.source !== 'siprec' && values.source !== 'oreka') mistakes.push('--source is siprec or oreka');
  if (values.peer !== undefined && isIP(values.peer) === 0) mistakes.push('--peer needs an IP address');
  const preference = PREFERENCES.find((wish) => wish === values.preference);
  if (values.preference !== undefined && preference === undefined)
    mistakes.push('--preference is on, off, pause or nopreference');
  for (const header of values.header)
    if (!/^[^:\s]+\s*:/.test(header)) mistakes.push(`--header ${header}: needs "NAME: VALUE"`);
  if (mistakes.length > 0) {
    console.error(`${mistakes.join('\n')}\n\n${RULES_USAGE}`);
    return EXIT_USAGE;
  }

  const parties = [party('caller', values.caller), party('callee', values.callee), ...values.participant.map(further)];
  const call: CallDescription = {
    participants: parties.filter((each) => each !== null),
    identifiers: {
      sipCallId: '',
      communicationSessionId: null,
      sipSessionIds: [],
      groupId: values.group ?? null,
      vendor: {},
    },
    statedStartMs: null,
    extraHeaders: values.header.map(headerOf),
    provisional: values.unknown,
    ...(preference === undefined ? {} : { preference }),
  };
  const config = await configFromFlags({ config: values.config });
  const configured = new RecordingRules(config.rules.list, config.rules.ours);
  const facts: CallFacts = {
    source: values.source === 'oreka' ? 'oreka' : 'siprec',
    peer: values.peer === undefined ? null : `udp:${formatHostPort({ host: values.peer, port: 5060 })}`,
    call,
  };
  const judgement = configured.judge(facts);
  const trials = configured.explain(facts);
  const rule = judgement.rule === null ? undefined : configured.list[judgement.rule - 1];
  console.log(
    values.json
      ? JSON.stringify({ ...judgement, trials, decidedBy: rule ?? null })
      : [
          ...trials.map((trial) => describeTrial(trial, configured.list[trial.rule - 1])),
          verdictOf(judgement, rule),
        ].join('\n'),
  );
  return EXIT_OK;
}

function party(role: 'caller' | 'callee', address: string | undefined): CallParticipant | null {
  return address === undefined ? null : { participantId: role, aor: address, name: null, sends: [], role };
}

function further(address: string, index: number): CallParticipant {
  return { participantId: `further-${index}`, aor: address, name: null, sends: [], role: null };
}

function headerOf(text: string): { name: string; value: string } {
  const colon = text.indexOf(':');
  return { name: text.slice(0, colon).trim(), value: text.slice(colon + 1).trim() };
}

function describeTrial({ rule, verdict, condition }: RuleTrial, given: RecordingRule | undefined): string {
  const shown = condition === null ? '' : ` ${condition}: ${JSON.stringify(given?.when[condition])}`;
  const because = given?.because ? ` (${given.because})` : '';
  const words = {
    fits: 'fits',
    differs: `does not fit:${shown}`,
    open: `cannot be told yet:${shown}`,
  };
  return `rule ${rule} ${words[verdict]}${because}`;
}

function verdictOf({ do: outcome, rule, provisional }: Judgement, given: RecordingRule | undefined): string {
  if (rule === null) return 'recorded: no rule fits';
  if (provisional) return `recorded until the parties are known: rule ${rule} may decide otherwise (${given?.do})`;
  if (outcome === 'discard') return `answered and discarded, by rule ${rule}`;
  if (outcome === 'decline') return `declined with ${given?.status}, by rule ${rule}`;
  const details = [
    given?.keepDays == null ? '' : `kept ${given.keepDays} days`,
    given?.name == null ? '' : `named ${given.name}`,
    given && given.tags.length > 0 ? `tagged ${given.tags.join(', ')}` : '',
  ].filter((detail) => detail !== '');
  return [`recorded, by rule ${rule}`, ...details].join('; ');
}
