// What a dialog is, as plain data (RFC 3261 §12.1): enough to build it again in another process.
import type { SipMessage } from '../message/message.ts';
import type { Flow, TransportName } from '../transport/flow.ts';
import { targetOf, uriOf } from './contact.ts';
import { dialogIdOf } from './identifiers.ts';
import { routeSetOfCallee, routeSetOfCaller } from './route-set.ts';

export const DIALOG_STATE_VERSION = 1;

/** JSON-safe. A dialog can be built from it with `new Dialog(state)`; nothing else of a dialog outlives a process. */
export interface DialogState {
  version: typeof DIALOG_STATE_VERSION;
  /** `<Call-ID>;from-tag=<tag>`, see dialogIdOf. */
  id: string;
  role: 'uas' | 'uac';
  /** The method that created it; decides what ends it. */
  usage: 'INVITE' | 'SUBSCRIBE';
  phase: 'early' | 'confirmed';
  callId: string;
  localTag: string;
  /** Empty for a peer that sends none (RFC 2543). */
  remoteTag: string;
  /** The whole From value of our requests, with tag. */
  localAddress: string;
  /** The whole To value of our requests, with tag. */
  remoteAddress: string;
  /** The CSeq number of our last request; null before the first one. */
  localSequence: number | null;
  remoteSequence: number | null;
  /** URI of the peer's last usable Contact. */
  remoteTarget: string;
  /** Route values, first hop first. */
  routeSet: string[];
  /** The Contact value that we told last; null if none yet. */
  localContact: string | null;
  /** How the peer's last message came. */
  transport: TransportName;
  peer: { host: string; port: number };
}

/** Requests of ours that may have left after the state was taken: their CSeq numbers are not used again (§12.2.1.1). */
const RESERVED_SEQUENCE_NUMBERS = 100;

/** Null if it cannot be gone on with: of another version, or not confirmed, so that nobody knows how it was answered. */
export function restoredDialogState(state: DialogState): DialogState | null {
  if (state.version !== DIALOG_STATE_VERSION || state.phase !== 'confirmed') return null;
  const { localSequence } = state;
  return { ...state, localSequence: localSequence === null ? null : localSequence + RESERVED_SEQUENCE_NUMBERS };
}

/** The dialog that our answer to `request` creates (§12.1.1). `response` carries our To tag. */
export function calleeDialogState(request: SipMessage, response: SipMessage, flow: Flow): DialogState {
  const callId = request.callId ?? '';
  const remoteTag = request.fromTag ?? '';
  return {
    version: DIALOG_STATE_VERSION,
    id: dialogIdOf(callId, remoteTag),
    role: 'uas',
    usage: request.method === 'SUBSCRIBE' ? 'SUBSCRIBE' : 'INVITE',
    phase: response.statusCode >= 200 ? 'confirmed' : 'early',
    callId,
    localTag: response.toTag ?? '',
    remoteTag,
    localAddress: response.header('To') ?? '',
    remoteAddress: request.header('From') ?? '',
    localSequence: null,
    remoteSequence: request.cseq?.number ?? null,
    // Without a usable Contact the peer is where its message came from.
    remoteTarget: targetOf(request) ?? uriOf(flow.remote, flow.transport),
    routeSet: routeSetOfCallee(request),
    localContact: response.header('Contact') ?? null,
    transport: flow.transport,
    peer: { ...flow.remote },
  };
}

/** The dialog that the peer's answer to our `request` creates (§12.1.2). */
export function callerDialogState(request: SipMessage, response: SipMessage, flow: Flow): DialogState {
  const callId = request.callId ?? '';
  const localTag = request.fromTag ?? '';
  return {
    version: DIALOG_STATE_VERSION,
    id: dialogIdOf(callId, localTag),
    role: 'uac',
    usage: request.method === 'SUBSCRIBE' ? 'SUBSCRIBE' : 'INVITE',
    phase: response.statusCode >= 200 ? 'confirmed' : 'early',
    callId,
    localTag,
    remoteTag: response.toTag ?? '',
    localAddress: request.header('From') ?? '',
    remoteAddress: response.header('To') ?? '',
    localSequence: request.cseq?.number ?? null,
    remoteSequence: null,
    remoteTarget: targetOf(response) ?? request.requestUri,
    routeSet: routeSetOfCaller(response),
    localContact: request.header('Contact') ?? null,
    transport: flow.transport,
    peer: { ...flow.remote },
  };
}
