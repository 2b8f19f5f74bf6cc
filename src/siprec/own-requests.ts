// What we ask of the client of our own accord inside one recording session: to pause and resume, and for its metadata.
import { ClientRequest, type ClientRequestParts } from './client-request.ts';
import { SnapshotRequest, type SnapshotRequestParts } from './snapshot-request.ts';

export type OwnRequestsParts = Omit<ClientRequestParts, 'send' | 'content'> &
  SnapshotRequestParts &
  Pick<ClientRequestParts, 'content'>;

export class OwnRequests {
  readonly #streams: ClientRequest;
  readonly #snapshot: SnapshotRequest;

  constructor(parts: OwnRequestsParts) {
    const { send } = parts;
    this.#streams = new ClientRequest({ ...parts, send: (sdp) => send('INVITE', {}, sdp) });
    this.#snapshot = new SnapshotRequest(parts);
  }

  /** The client takes requests from here on. */
  established(): void {
    // What was wanted may have changed since the 200.
    this.#streams.ask();
    this.#snapshot.start();
  }

  unwantedChanged(): void {
    this.#streams.ask();
  }

  /** The dialog is over. */
  close(): void {
    this.#streams.close();
    this.#snapshot.close();
  }
}
