// Which recording sessions bring the same communication session. The rules, strongest first; From, To and the group alone
// are none of them: a hotline's calls share all three.
//
//   session-id       the communication session's id in the metadata (RFC 7865 §6.3): the same on every retry of a failover list
//   sip-session-id   its sipSessionID: an RFC 7989 pair in either order, or the Call-ID of the recorded call
//   vendor-id:NAME   identifiers of vendors that name one call, in the order of VENDOR_CALL_IDS
import type { CallIdentifiers } from '../recording/call.ts';

export interface CorrelationKey {
  rule: string;
  /** Comparable among keys of all rules. */
  key: string;
}

/** Ids that name one call everywhere they appear; lower case, matched without `x-`. Tenants, trunks and queues are not among them. */
const VENDOR_CALL_IDS = [
  'ucid',
  'avayaucid',
  'cisco-guid',
  'cisco-gucid',
  'refci',
  'exttrackingid',
  'genesys-calluuid',
  'call-correlation-id',
];

/** RFC 7865 wants 128 bits; what is as short as `1` or `s1` says which session of this dialog, not which call of all. */
const SHORTEST_UNIQUE_ID = 8;

/** The keys of a communication session, strongest rule first. */
export function correlationKeys({ communicationSessionId, sipSessionIds, vendor }: CallIdentifiers): CorrelationKey[] {
  const keys: CorrelationKey[] = [];
  const add = (rule: string, id: string) => {
    if (isUnique(id)) keys.push({ rule, key: `${rule} ${id}` });
  };
  if (communicationSessionId !== null) add('session-id', communicationSessionId.trim());
  for (const id of sipSessionIds) add('sip-session-id', normalisedSessionId(id));
  const vendorIds = new Map(Object.entries(vendor).map(([name, id]) => [name.toLowerCase().replace(/^x-/, ''), id]));
  for (const name of VENDOR_CALL_IDS) add(`vendor-id:${name}`, vendorIds.get(name)?.trim() ?? '');
  return keys;
}

/** True if both name the recorded call and none of the names is the same: then a common session id is no proof. */
export function contradict(one: CallIdentifiers, other: CallIdentifiers): boolean {
  const ones = new Set(one.sipSessionIds.map(normalisedSessionId));
  const others = new Set(other.sipSessionIds.map(normalisedSessionId));
  return ones.size > 0 && others.size > 0 && ![...ones].some((id) => others.has(id));
}

/** RFC 7989 writes the pair from the sender's side: both orders are one session. Anything else counts as written. */
function normalisedSessionId(text: string): string {
  const pair = /^\s*([0-9a-f]{32})\s*;\s*remote\s*=\s*([0-9a-f]{32})/i.exec(text);
  if (!pair) return text.trim();
  const halves = [pair[1]!, pair[2]!].map((half) => half.toLowerCase()).filter((half) => !/^0+$/.test(half));
  return halves.sort().join('+');
}

/** `0000…`, `unknown` and the like are what clients write when they know none. */
function isUnique(id: string): boolean {
  return id.length >= SHORTEST_UNIQUE_ID && new Set(id).size > 2 && !/^(unknown|undefined|anonymous)$/i.test(id);
}
