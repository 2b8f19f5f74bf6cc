// Each of the kinds of question that the index promises to answer quickly; `n` picks another value each time.
import { PLACES_PER_MS } from '../../src/archive/index/schema.ts';
import type { RecordingQuery } from '../../src/recording/library.ts';
import { type GeneratedWorld, generatedRecording } from './generated-recordings.ts';

export interface Question {
  query: RecordingQuery;
  /** Below this place only: a page deep in the list. */
  before?: number;
  /** To be counted, not shown. */
  counted?: true;
}

const DAY_MS = 86_400_000;

export function questions(world: GeneratedWorld): Record<string, (n: number) => Question> {
  const one = (n: number) => generatedRecording(world, (n * 7919) % world.rows).document;
  const startOf = (n: number) => Date.parse(one(n).times.start);
  const numberOf = (n: number) => one(n).participants[0]?.aor?.replace(/^sip:|@.*/g, '') ?? '';
  const agentOf = (n: number) => one(n).participants[1]?.aor?.replace(/^sip:|@.*/g, '') ?? '';
  const nameOf = (n: number) => one(n).participants[1]?.name ?? '';
  const groupOf = (n: number) => one(n).call.groupId ?? '';
  const around = (n: number, days: number) => ({
    fromMs: startOf(n) - (days * DAY_MS) / 2,
    toMs: startOf(n) + (days * DAY_MS) / 2,
  });
  const depth = (n: number) => Math.floor(startOf(n) * PLACES_PER_MS);
  const plain: Record<string, (n: number) => RecordingQuery> = {
    'newest first': () => ({}),
    'a day': (n) => ({ fromMs: startOf(n), toMs: startOf(n) + DAY_MS }),
    'a whole number': (n) => ({ number: numberOf(n) }),
    "an agent's number": (n) => ({ number: agentOf(n) }),
    'the last six digits of a number': (n) => ({ party: numberOf(n).slice(-6) }),
    'the first eight digits of a number': (n) => ({ party: numberOf(n).slice(0, 9) }),
    'part of a name': (n) => ({ party: nameOf(n).slice(0, 5) }),
    'a whole name': (n) => ({ party: nameOf(n) }),
    'a name that nobody has': () => ({ party: 'zebulon quux' }),
    'words over names and notes': (n) => ({ text: nameOf(n) }),
    'a word of the notes': () => ({ text: 'complained' }),
    'a name and a word of the notes': (n) => ({ text: `${nameOf(n)} complained` }),
    'a call id in the free text': (n) => ({ text: one(n).call.sipCallId }),
    'a call id': (n) => ({ callId: one(n).call.sipCallId }),
    'a sipSessionID': (n) => ({ callId: one(n).call.sipSessionIds[0] ?? '' }),
    'a group': (n) => ({ group: groupOf(n) }),
    'a tag': (n) => ({ tag: `tag${n % 50}` }),
    'a header field': (n) => ({ header: { name: 'X-Tenant', value: one(n).headers[0]?.value ?? '' } }),
    'longer than an hour': () => ({ minDurationMs: 3_600_000 }),
    'loss above three per cent': () => ({ minLossPercent: 3 }),
    'a silent side': () => ({ silentSide: true }),
    'failed ones': () => ({ state: 'failed' }),
    'by source': () => ({ source: 'import' }),
    'a number within a month': (n) => ({ number: numberOf(n), ...around(n, 30) }),
    'an agent within a week': (n) => ({ number: agentOf(n), ...around(n, 7) }),
    'a name within a month': (n) => ({ party: nameOf(n), ...around(n, 30) }),
    'part of a name within a day': (n) => ({ party: nameOf(n).slice(0, 5), ...around(n, 1) }),
    'a group, a silent side, in a month': (n) => ({ group: groupOf(n), silentSide: true, ...around(n, 30) }),
    'a tag, a group, longer than five minutes': (n) => ({
      tag: `tag${n % 50}`,
      group: groupOf(n),
      minDurationMs: 300_000,
    }),
    'a tenant and part of a name': (n) => ({
      header: { name: 'X-Tenant', value: one(n).headers[0]?.value ?? '' },
      party: nameOf(n).slice(0, 5),
    }),
    'loss and part of a name': (n) => ({ minLossPercent: 3, party: nameOf(n).slice(0, 5) }),
    'what an agent may see': (n) => ({ scope: { parties: [agentOf(n)], groups: [] } }),
    'what a customer may see': (n) => ({ scope: { parties: [numberOf(n)], groups: [] } }),
    'what nobody has, for a token': () => ({ scope: { parties: ['nobody@example.org'], groups: [] } }),
    'what a group may see': (n) => ({ scope: { parties: [], groups: [groupOf(n)] } }),
    'a name, of what a group may see': (n) => ({ party: nameOf(n), scope: { parties: [], groups: [groupOf(n)] } }),
  };
  const shown = Object.entries(plain).map(
    ([name, ask]) => [name, (n: number): Question => ({ query: ask(n) })] as const,
  );
  return {
    ...Object.fromEntries(shown),
    'a page deep in all of them': (n) => ({ query: {}, before: depth(n) }),
    'a page deep in a group': (n) => ({ query: { group: groupOf(n) }, before: depth(n + 1) }),
    'a page deep in part of a name': (n) => ({ query: { party: nameOf(n).slice(0, 5) }, before: depth(n + 1) }),
    'how many calls of a number': (n) => ({ query: { number: numberOf(n) }, counted: true }),
    'how many failed within a week': (n) => ({ query: { state: 'failed', ...around(n, 7) }, counted: true }),
    'how many of a tenant': (n) => ({
      query: { header: { name: 'X-Tenant', value: one(n).headers[0]?.value ?? '' } },
      counted: true,
    }),
  };
}
