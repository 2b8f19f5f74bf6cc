// Which calls are recorded: a list of rules, the first that fits decides. Pure: facts of a call in, a judgement out.
//
// A call is judged when it starts, again whenever something new is known of it, and for the last time at its end; the last
// judgement counts. While its parties are not known yet (`call.provisional`), a rule that asks for them may still come to
// fit: then the call is recorded until that can be told.
import { RecorderError } from '../lib/errors.ts';
import { NetworkList } from '../lib/networks.ts';
import { decideRoles } from './attribution.ts';
import type { CallDescription, CallParticipant } from './call.ts';
import { addressOf, fits } from './scope.ts';
import type { SessionState } from './session-state.ts';

export type RuleOutcome =
  | 'record'
  /** The INVITE is refused. A call that runs already is discarded instead: nobody can be refused any more. */
  | 'decline'
  /** The client is answered, no media is taken, and nothing is left but a line in the log. */
  | 'discard';

export interface RecordingRule {
  when: RuleConditions;
  do: RuleOutcome;
  /** SIP status of a refusal; null for what is no `decline`. */
  status: number | null;
  /** Days that the recording is kept; null: as configured for all. */
  keepDays: number | null;
  /** Template of the directory's name; null: `storage.name`. */
  name: string | null;
  tags: string[];
  /** For people: log, recording.json, `sipreel rules test`. */
  because: string | null;
}

/** All that are given must hold; of several patterns, one has to fit. No condition at all fits every call. */
export interface RuleConditions {
  caller?: string[];
  callee?: string[];
  /** Any party, also one that came later or has left. */
  participant?: string[];
  group?: string[];
  /** Header fields of the INVITE, or of mod_oreka's texts: each has to be there with a value that fits. */
  header?: { name: string; value: string }[];
  source?: SessionState['source'];
  /** Addresses or networks of the signalling peer. */
  peer?: string[];
  /** By `ours`: which of the two parties is one of us. */
  direction?: 'inbound' | 'outbound' | 'internal';
  /** What a party wishes (`a=recordpref`, RFC 7866 §7.3.2). */
  preference?: NonNullable<CallDescription['preference']>;
}

export interface CallFacts {
  source: SessionState['source'];
  /** Signalling peer, `udp:10.0.0.1:5060`. */
  peer: string | null;
  call: CallDescription;
}

export interface Judgement {
  do: RuleOutcome;
  /** Number of the rule, from 1; null if none decided. */
  rule: number | null;
  /** Of a rule that may still come to fit: the call is recorded until then. */
  provisional: boolean;
}

/** What a rule says about a call: `open` as long as its parties are not known. */
export type RuleVerdict = 'fits' | 'differs' | 'open';

export interface RuleTrial {
  rule: number;
  verdict: RuleVerdict;
  /** The condition that does not hold, or cannot be told yet; null if all hold. */
  condition: keyof RuleConditions | null;
}

/** What a rule means for a call that runs. Plain data, kept in session.json. */
export interface AppliedRule extends Pick<RecordingRule, 'keepDays' | 'name' | 'tags' | 'because'> {
  number: number;
  do: 'record' | 'discard';
  /** It may still come to fit; the rest counts only when it does. */
  provisional: boolean;
}

/** The call is not to be recorded, with the status that the rule's author chose for SIP. */
export class DeclinedByRule extends RecorderError {
  readonly status: number;

  constructor(rule: number, { status, because }: RecordingRule) {
    super('DECLINED_BY_RULE', because === null ? `It is rule ${rule}.` : `Rule ${rule}: ${because}`);
    this.status = status ?? 603;
  }
}

/** No rule fits: recorded. */
const BY_DEFAULT: Judgement = { do: 'record', rule: null, provisional: false };

export class RecordingRules {
  readonly list: readonly RecordingRule[];
  readonly #ours: readonly string[];
  readonly #peers: readonly (NetworkList | null)[];

  /** `ours`: patterns for the addresses of our own people. Throws if a peer is neither an address nor a network. */
  constructor(list: readonly RecordingRule[], ours: readonly string[] = []) {
    this.list = list;
    this.#ours = ours;
    this.#peers = list.map(({ when }) => (when.peer ? new NetworkList(when.peer) : null));
  }

  /** `final`: nothing more will be known. */
  judge(facts: CallFacts, when: 'now' | 'final' = 'now'): Judgement {
    for (const [index, rule] of this.list.entries()) {
      const { verdict } = this.#try(index, facts);
      if (verdict === 'differs' || (verdict === 'open' && when === 'final')) continue;
      if (verdict === 'open') return { do: 'record', rule: index + 1, provisional: true };
      return { do: rule.do, rule: index + 1, provisional: false };
    }
    return BY_DEFAULT;
  }

  /** For a new call. Null: no rule decides. Throws DeclinedByRule. */
  admit(facts: CallFacts): AppliedRule | null {
    const { do: outcome, rule } = this.judge(facts);
    const deciding = rule === null ? undefined : this.list[rule - 1];
    if (outcome === 'decline' && rule !== null && deciding) throw new DeclinedByRule(rule, deciding);
    return this.apply(facts);
  }

  /** For a call that runs, or has ended (`final`): what was to be declined is discarded. Null: no rule decides. */
  apply(facts: CallFacts, when: 'now' | 'final' = 'now'): AppliedRule | null {
    const { do: outcome, rule: number, provisional } = this.judge(facts, when);
    const rule = number === null ? undefined : this.list[number - 1];
    if (number === null || !rule) return null;
    const { keepDays, name, tags, because } = rule;
    return { number, do: outcome === 'record' ? 'record' : 'discard', provisional, keepDays, name, tags, because };
  }

  /** Every rule, as far as the one that decides. */
  explain(facts: CallFacts): RuleTrial[] {
    const trials: RuleTrial[] = [];
    for (const index of this.list.keys()) {
      const trial = this.#try(index, facts);
      trials.push(trial);
      if (trial.verdict === 'fits') break;
    }
    return trials;
  }

  /** A condition that certainly does not hold beats one that cannot be told. */
  #try(index: number, facts: CallFacts): RuleTrial {
    const rule = index + 1;
    const when: RuleConditions = this.list[index]?.when ?? {};
    let open: keyof RuleConditions | null = null;
    for (const condition of Object.keys(when) as (keyof RuleConditions)[]) {
      if (when[condition] === undefined) continue;
      if (this.#holds(condition, when, index, facts)) continue;
      if (!facts.call.provisional || !LEARNT_LATER.has(condition)) return { rule, verdict: 'differs', condition };
      open ??= condition;
    }
    return { rule, verdict: open === null ? 'fits' : 'open', condition: open };
  }

  #holds(condition: keyof RuleConditions, when: RuleConditions, index: number, facts: CallFacts): boolean {
    const { participants, identifiers, extraHeaders, preference } = facts.call;
    const { caller, callee } = partiesOf(facts.call);
    switch (condition) {
      case 'caller':
      case 'callee':
        return partyFits(condition === 'caller' ? caller : callee, when[condition] ?? []);
      case 'participant':
        return participants.some((party) => partyFits(party, when.participant ?? []));
      case 'group':
        return identifiers.groupId !== null && fitsOne(identifiers.groupId, when.group ?? []);
      case 'header':
        return (when.header ?? []).every(({ name, value }) =>
          extraHeaders.some((header) => fits(header.name, name) && fits(header.value, value)),
        );
      case 'source':
        return facts.source === when.source;
      case 'peer':
        return this.#peers[index]?.has(hostOf(facts.peer ?? '')) ?? false;
      case 'direction':
        return this.#direction(caller, callee) === when.direction;
      case 'preference':
        return preference === when.preference;
    }
  }

  #direction(caller: CallParticipant | undefined, callee: CallParticipant | undefined): RuleConditions['direction'] {
    const fromUs = partyFits(caller, this.#ours);
    const toUs = partyFits(callee, this.#ours);
    if (fromUs) return toUs ? 'internal' : 'outbound';
    return toUs ? 'inbound' : undefined;
  }
}

/** Conditions whose facts come with the metadata. */
const LEARNT_LATER = new Set<keyof RuleConditions>(['caller', 'callee', 'participant', 'group', 'direction']);

function partiesOf(call: CallDescription): { caller?: CallParticipant; callee?: CallParticipant } {
  const parties: { caller?: CallParticipant; callee?: CallParticipant } = {};
  for (const { participantId, role } of decideRoles(call.participants)) {
    const party = call.participants.find((each) => each.participantId === participantId);
    if (role !== 'other' && party) parties[role] = party;
  }
  return parties;
}

/** `sip:1001@example.com` fits `1001`, `10*`, `*@example.com` and `sip:1001@example.com`. */
function partyFits(party: CallParticipant | undefined, patterns: readonly string[]): boolean {
  if (!party || party.aor === null) return false;
  const { address, user } = addressOf(party.aor);
  return patterns.some((pattern) => {
    const bare = pattern.replace(/^(?:sips?|tel):/i, '');
    return fits(address, bare) || fits(user, bare);
  });
}

const fitsOne = (text: string, patterns: readonly string[]) => patterns.some((pattern) => fits(text, pattern));

/** Of `udp:10.0.0.1:5060` or `tcp:[::1]:5060`. */
function hostOf(peer: string): string {
  return /^(?:\w+:)?\[?(.*?)\]?(?::\d+)?$/.exec(peer)?.[1] ?? '';
}
