// Cisco phones that fork their own media ("built-in bridge"): CUCM sends one INVITE without SDP for the phone's own voice
// and one for the other side's, and says in parameters of the From URI which is which:
//
//   From: <sip:2000@ucm;x-nearend;x-refci=27298698;x-nearenddevice=SEP1;x-farendrefci=27298697;x-farenddevice=SEP2;x-farendaddr=1000>
//   From: <sip:2000@ucm;x-farend;…the same…>
import type { CallParticipant } from '../recording/call.ts';
import { headerValue, parseNameAddress, type SipHeader } from './sip-headers.ts';

export interface BuiltInBridge {
  /** The phone's own voice, or the other side's: the party that the session's only stream is of. */
  speaking: CallParticipant;
  /** The phone's party first. */
  parties: CallParticipant[];
  /** The same in both sessions: the phone's call within its cluster. Null if it is not said. */
  call: string | null;
}

/** Null for any other client. */
export function readBuiltInBridge(headers: readonly SipHeader[]): BuiltInBridge | null {
  const from = parseNameAddress(headerValue(headers, 'from') ?? '');
  const [address = '', ...parameters] = (from?.uri ?? '').split(';');
  const said = new Map(
    parameters.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim().toLowerCase(), value.trim()];
    }),
  );
  const isNear = said.has('x-nearend');
  if (address === '' || isNear === said.has('x-farend')) return null;
  const host = address.slice(address.indexOf('@') + 1);
  const farAddress = said.get('x-farendaddr');
  const party = (participantId: string, aor: string | null): CallParticipant => {
    return { participantId, aor, name: null, sends: [], role: null };
  };
  const near = party('near-end', address);
  const far = party('far-end', farAddress ? `sip:${farAddress}@${host}` : null);
  const reference = said.get('x-refci');
  return {
    speaking: isNear ? near : far,
    parties: [near, far],
    call: reference ? `${reference}@${said.get('x-nearenddevice') || host}` : null,
  };
}
