// What the texts say about a call: parties, FreeSWITCH's own identifiers, custom headers.
//
// The INVITE names who was called, the BYE who was connected last: after a bridge or a transfer they differ. Names and
// numbers stand in the text unescaped, so the last @ ends them, and the last > ends an address.
import type { CallDescription, CallParticipant } from '../recording/call.ts';
import {
  firstValue,
  type OrekaHeader,
  type OrekaInvite,
  type OrekaMessage,
  readSubject,
  type Side,
} from './datagram.ts';

/** Written by the module itself into every text; whatever else comes, or comes twice, is a custom header. */
const OWN_HEADERS = new Set([
  'via',
  'from',
  'to',
  'call-id',
  'cseq',
  'contact',
  'max-forwards',
  'subject',
  'content-type',
  'content-length',
]);
/** FreeSWITCH's name for a called party that has told none. */
const NO_NAME = 'Outbound Call';
const MAX_EXTRA_HEADERS = 100;
const MAX_HEADER_VALUE = 8_192;
const MAX_NAME = 1_024;

interface Party {
  number: string | null;
  name: string | null;
}

export class CallTexts {
  readonly #invite: OrekaInvite;
  readonly #extraHeaders: OrekaHeader[] = [];
  #lastConnected: Party | null = null;

  /** The first INVITE of the recording, of whichever side. */
  constructor(invite: OrekaInvite) {
    this.#invite = invite;
    this.#keepExtraHeaders(invite);
  }

  /** Any later text of the same recording. */
  add(message: OrekaMessage): void {
    this.#keepExtraHeaders(message);
    if (message.method === 'BYE') this.#lastConnected = calledParty(message);
  }

  /** `sends`: the stream keys of each side. `continues`: the id of the call's earlier recording. */
  describe(sends: Record<Side, string[]>, continues: string | null): CallDescription {
    const { callId, media } = this.#invite;
    const host = media.sourceHost ?? hostOf(firstValue(this.#invite.headers, 'from') ?? '');
    const vendor: Record<string, string> = {};
    if (host !== null) vendor['freeswitch-address'] = host;
    if (media.pid !== null) vendor['freeswitch-pid'] = media.pid;
    if (this.#lastConnected?.number) vendor['last-connected-number'] = this.#lastConnected.number;
    if (this.#lastConnected?.name) vendor['last-connected-name'] = this.#lastConnected.name;
    return {
      participants: this.#participants(sends, host),
      identifiers: {
        sipCallId: callId,
        communicationSessionId: null,
        sipSessionIds: [],
        groupId: null,
        ...(continues === null ? {} : { continues }),
        vendor,
      },
      statedStartMs: null,
      extraHeaders: [...this.#extraHeaders],
    };
  }

  #participants(sends: Record<Side, string[]>, host: string | null): CallParticipant[] {
    const participant = (participantId: string, { number, name }: Party): CallParticipant => ({
      participantId,
      aor:
        number === null ? null : `sip:${number}${host === null ? '' : `@${host.includes(':') ? `[${host}]` : host}`}`,
      name,
      sends: [],
      role: null,
    });
    const called = calledParty(this.#invite);
    const last = this.#lastConnected;
    const samePerson = last === null || isSame(called, last);
    const participants: CallParticipant[] = [
      { ...participant('caller', callingParty(this.#invite)), sends: sends.rx, role: 'caller' },
      {
        ...participant(
          'callee',
          samePerson ? { number: called.number, name: called.name ?? last?.name ?? null } : called,
        ),
        sends: sends.tx,
        role: 'callee',
      },
    ];
    if (!samePerson) participants.push(participant('last-connected', last));
    return participants;
  }

  #keepExtraHeaders({ headers }: OrekaMessage): void {
    const seen = new Set<string>();
    for (const { name, value } of headers) {
      const own = OWN_HEADERS.has(name.toLowerCase()) && !seen.has(name.toLowerCase());
      seen.add(name.toLowerCase());
      if (own || this.#extraHeaders.length >= MAX_EXTRA_HEADERS) continue;
      const kept = { name: name.slice(0, MAX_NAME), value: value.slice(0, MAX_HEADER_VALUE) };
      // Both INVITEs of a call carry the same set, and so do both BYEs.
      if (!this.#extraHeaders.some((known) => known.name === kept.name && known.value === kept.value))
        this.#extraHeaders.push(kept);
    }
  }
}

function callingParty({ headers }: OrekaMessage): Party {
  const number = userOf(addressIn(firstValue(headers, 'from') ?? ''));
  return party(number, readSubject(firstValue(headers, 'subject') ?? '').callerName);
}

function calledParty({ headers, requestUri }: OrekaMessage): Party {
  const number = userOf(addressIn(firstValue(headers, 'to') ?? ''));
  return party(number, userOf(requestUri));
}

/** FreeSWITCH fills in the number where there is no name. */
function party(number: string, name: string): Party {
  const said = oneLine(name);
  return {
    number: oneLine(number) || null,
    name: said === '' || said === oneLine(number) || said === NO_NAME ? null : said,
  };
}

/** A party without a name is the same as one with the same number; without a number, the names decide. */
function isSame(one: Party, other: Party): boolean {
  if (other.number === null && other.name === null) return true;
  if (one.number !== null && other.number !== null) return one.number === other.number;
  return one.name !== null && one.name === other.name;
}

/** What stands between the brackets; the value itself without brackets. */
function addressIn(value: string): string {
  const open = value.indexOf('<');
  const close = value.lastIndexOf('>');
  return open >= 0 && close > open ? value.slice(open + 1, close) : value;
}

function userOf(uri: string): string {
  const address = uri.replace(/^\s*sips?:/i, '');
  return address.slice(0, Math.max(address.lastIndexOf('@'), 0));
}

/** The host of a From or To value; null without. */
function hostOf(value: string): string | null {
  const address = addressIn(value);
  const host = address.slice(address.lastIndexOf('@') + 1);
  return /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d+)?(?:;|$)/i.exec(host)?.slice(1).find(Boolean) ?? null;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, MAX_NAME);
}
