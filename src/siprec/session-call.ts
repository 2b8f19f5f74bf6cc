// The call side of one recording session: metadata in, the communication sessions as the recorder sees them out.
// Each warning is given once.
import type { CallDescription, RawMetadata, Warning } from '../recording/call.ts';
import { readBuiltInBridge } from './built-in-bridge.ts';
import { describeCall } from './call-description.ts';
import { communicationSessions, metadataOfSessions, sessionOfLabel } from './communication-sessions.ts';
import { mergeMetadata } from './metadata/merge.ts';
import type { RecordingMetadata } from './metadata/model.ts';
import { readMetadata } from './metadata/read.ts';
import type { RecordingBody } from './multipart.ts';
import type { RecordingPreference } from './sdp.ts';
import type { SipHeader } from './sip-headers.ts';

/** What of the INVITE describes the call. */
export interface CallOrigin {
  callId: string;
  requestUri: string;
  headers: readonly SipHeader[];
}

/** A stream of the session as the latest offer has it. */
export interface NamedStream {
  key: string;
  label: string | null;
  preference: RecordingPreference | null;
}

/** One communication session as this recording session brings it now. */
export interface BroughtCall {
  /** Its id in the metadata; null if there is none. */
  sessionId: string | null;
  call: CallDescription;
  /** Its streams, by key. */
  streamKeys: string[];
}

export interface SessionCallSnapshot {
  metadata: RecordingMetadata | null;
  latestText: string | null;
  told: string[];
}

export class SessionCall {
  readonly #origin: CallOrigin;
  readonly #told: Set<string>;
  #metadata: RecordingMetadata | null;
  #latestText: string | null;

  constructor(origin: CallOrigin, snapshot?: SessionCallSnapshot) {
    this.#origin = origin;
    this.#told = new Set(snapshot?.told);
    this.#metadata = snapshot?.metadata ?? null;
    this.#latestText = snapshot?.latestText ?? null;
  }

  /** Takes in metadata. `raw` is null if it is the same document as the last one, as in every OpenSIPS re-INVITE. */
  apply(
    metadata: NonNullable<RecordingBody['metadata']>,
    receivedMs: number,
  ): { raw: RawMetadata | null; warnings: Warning[] } {
    if (metadata.text === this.#latestText) return { raw: null, warnings: [] };
    this.#latestText = metadata.text;
    const read = readMetadata(metadata.text);
    // A document without anybody in it does not wipe out what is known.
    const dataMode = read.metadata.participants.length > 0 ? read.metadata.dataMode : 'partial';
    this.#metadata = mergeMetadata(this.#metadata, { ...read.metadata, dataMode });
    return { raw: { receivedMs: Math.floor(receivedMs), ...metadata }, warnings: read.warnings };
  }

  /** True if the metadata says that this communication session is over. */
  hasEnded(sessionId: string | null): boolean {
    return sessionId !== null && this.#sessions().ended.includes(sessionId);
  }

  /**
   * The communication sessions that have streams, at least one; a stream of which nothing is said belongs to the first.
   * `pinned` streams stay where they are as long as the metadata knows that session: only an offer moves them.
   */
  describe(streams: readonly NamedStream[], pinned: ReadonlyMap<string, string>): BroughtCall[] {
    const metadata = this.#metadata;
    const { running, ended } = this.#sessions();
    const known = new Set([...running, ...ended]);
    if (!metadata || known.size < 2) return [this.#describe(running[0] ?? null, metadata, streams)];
    const ownerOf = ({ key, label }: NamedStream) => {
      const pin = pinned.get(key);
      if (pin !== undefined && known.has(pin)) return pin;
      const said = sessionOfLabel(metadata, label);
      return said !== null && running.includes(said) ? said : (running[0] ?? ended[0]!);
    };
    const owners = streams.map(ownerOf);
    const withStreams = [...known].filter((sessionId) => owners.includes(sessionId));
    // Calls that have no stream of their own are heard in somebody else's: a turret mixes its handsets.
    const heardAlong = running.filter((sessionId) => !owners.includes(sessionId));
    return (withStreams.length > 0 ? withStreams : [...known].slice(0, 1)).map((sessionId, position) => {
      const own = streams.filter((_, index) => owners[index] === sessionId);
      const ids = position === 0 ? [...new Set([sessionId, ...heardAlong])] : [sessionId];
      return this.#describe(sessionId, metadataOfSessions(metadata, ids), own);
    });
  }

  /** Those of the warnings that were not given before. */
  news(warnings: readonly Warning[]): Warning[] {
    return warnings.filter(({ code, message }) => {
      const key = `${code} ${message}`;
      if (this.#told.has(key)) return false;
      return this.#told.add(key);
    });
  }

  snapshot(): SessionCallSnapshot {
    return { metadata: this.#metadata, latestText: this.#latestText, told: [...this.#told] };
  }

  #sessions(): { running: string[]; ended: string[] } {
    return this.#metadata ? communicationSessions(this.#metadata) : { running: [], ended: [] };
  }

  #describe(
    sessionId: string | null,
    metadata: RecordingMetadata | null,
    streams: readonly NamedStream[],
  ): BroughtCall {
    const { callId, requestUri, headers } = this.#origin;
    const labels = streams.map(({ label }) => label).filter((label) => label !== null);
    const call = describeCall({ sipCallId: callId, requestUri, headers, metadata, labels });
    const streamKeys = streams.map(({ key }) => key);
    const bridge = metadata ? null : readBuiltInBridge(headers);
    if (bridge) delete call.provisional;
    const participants = bridge
      ? bridge.parties.map((party) => ({ ...party, sends: party === bridge.speaking ? streamKeys : [] }))
      : call.participants.map((party) => ({ ...party, sends: keysOfLabels(party.sends, streams) }));
    const preference = streams.find((stream) => stream.preference !== null)?.preference ?? null;
    return {
      // With everything ended, the session is still the one that it was.
      sessionId: sessionId ?? metadata?.sessions[0]?.sessionId ?? null,
      call: { ...call, participants, ...(preference === null ? {} : { preference }) },
      streamKeys,
    };
  }
}

function keysOfLabels(labels: readonly string[], streams: readonly NamedStream[]): string[] {
  return streams.filter(({ label }) => label !== null && labels.includes(label)).map(({ key }) => key);
}
