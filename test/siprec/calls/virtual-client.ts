// One dialog of a recording client in front of the virtual recorder.
import { onTestFinished } from 'vitest';
import { CONTENT_TYPE, multipart } from '../bodies.ts';
import { type FakeSent, type FakeSrfResponse, sipMessage } from '../fake-srf.ts';
import type { VirtualRecorder } from './virtual-recorder.ts';

export interface Message {
  sdp?: string | null;
  metadata?: string | null;
  lines?: string[];
  /** In place of the usual multipart of `sdp` and `metadata`. */
  body?: { type: string; text: string };
}

let dialogs = 0;

export class VirtualClient {
  readonly callId = `rs-${++dialogs}`;
  readonly #recorder: VirtualRecorder;
  #response: FakeSrfResponse | null = null;
  /** Our latest SDP. */
  answer = '';

  constructor(recorder: VirtualRecorder) {
    this.#recorder = recorder;
  }

  /** INVITE and its final answer; no ACK yet. */
  async invite(message: Message): Promise<FakeSent | undefined> {
    const { response } = this.#recorder.srf.receive(this.#text('INVITE', message));
    this.#response = response;
    await this.#recorder.settle();
    this.#recorder.clock.advance(10);
    await this.#recorder.settle();
    return this.#learn(response);
  }

  /** INVITE, 200, ACK. */
  async call(message: Message): Promise<FakeSent | undefined> {
    const answer = await this.invite(message);
    await this.send('ACK');
    return answer;
  }

  /** Any request inside the dialog; a re-INVITE is acknowledged. */
  async send(method: string, message: Message = {}): Promise<FakeSent | undefined> {
    const { response } = this.#recorder.srf.receive(
      this.#text(method, message, 'To: <sip:recorder@srs.example>;tag=t'),
      {
        stackDialogId: this.#response?.stackDialogId ?? '',
      },
    );
    await this.#recorder.settle();
    const answer = this.#learn(response);
    if (method === 'INVITE' && (message.sdp !== undefined || message.body)) await this.send('ACK');
    return answer;
  }

  /** The port of the n-th m-line of our latest SDP, or of the one with that label. */
  port(which: number | string): number {
    const sections = this.answer.split(/^m=/m).slice(1);
    const section =
      typeof which === 'number'
        ? sections[which]
        : sections.find((text) => new RegExp(`^a=label:${which}\\r?$`, 'm').test(text));
    return Number(/^audio (\d+)/.exec(section ?? '')?.[1] ?? 0);
  }

  #learn(response: FakeSrfResponse): FakeSent | undefined {
    const [sent] = response.sent;
    if (sent?.body) this.answer = sent.body;
    return sent;
  }

  #text(method: string, { sdp, metadata, lines = [], body: whole }: Message, ...more: string[]): string {
    const bare = sdp != null && metadata == null;
    const type = whole?.type ?? (bare ? 'application/sdp' : CONTENT_TYPE);
    const usual = bare ? sdp : sdp != null || metadata != null ? multipart(sdp ?? null, metadata ?? null) : '';
    const body = whole?.text ?? usual;
    const headers = [`Call-ID: ${this.callId}`, ...(body === '' ? [] : [`Content-Type: ${type}`]), ...more, ...lines];
    return sipMessage(method, headers, body);
  }
}

/** Whatever the test does, nothing may be left open when all have hung up. */
export function nothingLeftOpen(recorder: VirtualRecorder): void {
  onTestFinished(() => {
    if (recorder.door.sessions > 0 || recorder.recorder.activeRecordings > 0)
      throw new Error('a session or recording is left open');
    if (recorder.clock.pendingTimers > 0) throw new Error(`${recorder.clock.pendingTimers} timers are left`);
  });
}
