// Random lives of the server's transaction and dialog layers: calls and requests in any order, valid and broken, repeated,
// late, cut into pieces on a TCP stream. A small model says what must be answered: every well-formed request, with one
// final answer and never two. When all time has passed nothing may be left.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { DialogTable } from '../../src/sip-server/dialog/dialog-table.ts';
import { DialogLayer } from '../../src/sip-server/dialog/layer.ts';
import { DialogError, type DialogOwner } from '../../src/sip-server/dialog/owner.ts';
import { DEFAULT_SIP_TIMING } from '../../src/sip-server/dialog/services.ts';
import { parseMessage } from '../../src/sip-server/message/parse.ts';
import { TransactionLayer } from '../../src/sip-server/transaction/layer.ts';
import { DEFAULT_TRANSPORT_LIMITS } from '../../src/sip-server/transport/limits.ts';
import { StreamFramer } from '../../src/sip-server/transport/stream-framer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeFlow, FakeTransports, settle } from './support/fakes.ts';
import { requestBytes } from './support/messages.ts';

/** How the app behaves to a request. */
const APP = ['silent', 200, 180, 486, 'throws'] as const;
type AppWill = (typeof APP)[number];

interface Step {
  kind: 'send' | 'repeat' | 'broken' | 'ack' | 'wait' | 'hangUp';
  method: string;
  call: number;
  /** Inside the dialog of that call, as far as the peer knows one. */
  inside: boolean;
  will: AppWill;
  pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('send', 'send', 'send', 'send', 'repeat', 'broken', 'ack', 'wait', 'hangUp'),
  method: fc.constantFrom(
    'INVITE',
    'INVITE',
    'BYE',
    'CANCEL',
    'UPDATE',
    'INFO',
    'OPTIONS',
    'PRACK',
    'SUBSCRIBE',
    'NONSENSE',
  ),
  call: fc.nat(2),
  inside: fc.boolean(),
  will: fc.constantFrom(...APP),
  pick: fc.nat(999),
});

/** One peer and the server, on a clock of their own. */
class Life {
  readonly clock = new ManualClock();
  readonly flow: FakeFlow;
  readonly table = new DialogTable();
  readonly errors: object[] = [];
  readonly #framer = new StreamFramer(DEFAULT_TRANSPORT_LIMITS);
  readonly #sent: Buffer[] = [];
  /** Requests that must have a final answer, by branch and method. */
  readonly #owed = new Set<string>();
  readonly #toTags = new Map<string, string>();
  #will: AppWill = 'silent';
  #count = 0;
  readonly #owner: DialogOwner = {
    onRequest: ({ transactionId, request }) => {
      const will = this.#will;
      if (will === 'throws') throw new Error('the app has failed');
      if (will === 'silent') return;
      const statusCode = will === 180 && request.method !== 'INVITE' ? 200 : will;
      const answer = { statusCode, reasonPhrase: 'x', toTag: null, headers: () => [], body: Buffer.alloc(0) };
      this.dialogs.answer(transactionId, request.method, answer).catch(() => {});
    },
    onCancel() {},
    onAck() {},
    onOwnBye() {},
  };
  readonly transactions: TransactionLayer;
  readonly dialogs: DialogLayer;

  constructor(transport: 'udp' | 'tcp') {
    this.flow = new FakeFlow(transport);
    const log = { ...silentLog, error: (fields: object) => void this.errors.push(fields) };
    this.transactions = new TransactionLayer({
      transports: new FakeTransports(this.flow),
      clock: this.clock,
      log,
      unansweredMs: DEFAULT_SIP_TIMING.finalAnswerMs + 32_000,
      user: {
        onRequest: (transaction) => this.dialogs.onRequest(transaction),
        onCancel: (invite, cancel) => this.dialogs.onCancel(invite, cancel),
        onAck: (ack, flow) => this.dialogs.onAck(ack, flow),
        onStrayResponse: () => this.dialogs.onStrayResponse(),
      },
    });
    const local = { host: '127.0.0.1', port: 5060, transport };
    this.dialogs = new DialogLayer({
      services: {
        clock: this.clock,
        log,
        timing: DEFAULT_SIP_TIMING,
        transactions: this.transactions,
        addresses: {
          flowTo: async () => this.flow,
          localAddress: async () => local,
          anyLocalAddress: () => local,
        },
        dialogs: this.table,
        userAgent: null,
      },
      ownerFor: (method) => (method === 'NONSENSE' ? null : this.#owner),
      maxDialogs: 4,
    });
    this.dialogs.start();
  }

  async take({ kind, method, call, inside, will, pick }: Step): Promise<void> {
    this.#will = will;
    switch (kind) {
      case 'send':
        this.#send(method, call, inside);
        break;
      case 'repeat': {
        const earlier = this.#sent[pick % Math.max(1, this.#sent.length)];
        if (earlier) this.#deliver(earlier, pick);
        break;
      }
      case 'broken':
        this.#deliver(broken(this.#request(method, call, inside).bytes, pick), pick);
        break;
      case 'ack':
        this.#deliver(this.#request('ACK', call, true).bytes, pick);
        break;
      case 'wait':
        this.clock.advance([10, 500, 4_000, 32_000, 200_000][pick % 5]!);
        break;
      case 'hangUp':
        for (const { id } of this.table.values()) this.#hangUp(id);
        break;
      default:
        kind satisfies never;
    }
    await settle();
    this.#listen();
  }

  /** Lets all time pass. */
  async end(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      this.clock.advance(20_000);
      await settle();
      this.#listen();
    }
    this.dialogs.onOwnerGone(this.#owner);
    for (let i = 0; i < 60; i++) {
      this.clock.advance(20_000);
      await settle();
      this.#listen();
    }
  }

  get owed(): string[] {
    return [...this.#owed];
  }

  get left() {
    return {
      dialogs: this.table.size,
      pending: this.dialogs.pendingRequests,
      servers: this.transactions.serverTransactions,
      clients: this.transactions.clientTransactions,
      timers: this.clock.pendingTimers,
    };
  }

  /** An app may try at any time, and is told when it cannot. */
  #hangUp(dialogId: string): void {
    const content = { headers: () => [], body: Buffer.alloc(0) };
    try {
      this.dialogs.requestInDialog(dialogId, 'BYE', content, this.#owner, { onSent() {}, onResponse() {} });
    } catch (error) {
      expect(error).toBeInstanceOf(DialogError);
    }
  }

  #send(method: string, call: number, inside: boolean): void {
    const { bytes, key } = this.#request(method, call, inside);
    this.#sent.push(bytes);
    this.#owed.add(key);
    this.#deliver(bytes, this.#count);
  }

  #request(method: string, call: number, inside: boolean): { bytes: Buffer; key: string } {
    const branch = `z9hG4bK-${++this.#count}`;
    const toTag = inside ? (this.#toTags.get(`call-${call}`) ?? 'unknown') : undefined;
    const bytes = requestBytes({
      method,
      branch,
      callId: `call-${call}`,
      fromTag: `from-${call}`,
      cseq: this.#count,
      extra: 'Contact: <sip:src@127.0.0.1:5080>\nSupported: 100rel\n',
      ...(toTag === undefined ? {} : { toTag }),
    });
    return { bytes, key: `${branch} ${method}` };
  }

  /** Over TCP in pieces that depend on `salt`, behind each other on one stream. */
  #deliver(bytes: Buffer, salt: number): void {
    if (!this.flow.reliable) {
      this.#parse(bytes);
      return;
    }
    const size = 1 + (salt % 97);
    for (let at = 0; at < bytes.length; at += size) {
      this.#framer.push(bytes.subarray(at, at + size));
      for (let frame = this.#framer.next(); frame; frame = this.#framer.next())
        if (frame.kind === 'message') this.#parse(frame.bytes);
    }
  }

  #parse(bytes: Buffer): void {
    const result = parseMessage(bytes);
    if ('message' in result) this.transactions.receive(result.message, this.flow);
    else this.transactions.receiveMalformed(result, this.flow);
  }

  /** Keeps what the peer learns, and answers what it is asked. */
  #listen(): void {
    for (const message of this.flow.sent.splice(0)) {
      if (message.kind === 'request') continue;
      if (message.statusCode > 100 && message.toTag && message.callId) this.#toTags.set(message.callId, message.toTag);
      if (message.statusCode >= 200) this.#owed.delete(`${message.topVia?.branch} ${message.method}`);
    }
  }
}

/** Heads that cannot be read, in ways that do not end a TCP stream: the length stays right. */
function broken(bytes: Buffer, pick: number): Buffer {
  const text = bytes.toString();
  const damages: [RegExp, string][] = [
    [/^CSeq:.*\r\n/m, ''],
    [/SIP\/2\.0\r\n/, 'SIP/3.0\r\n'],
    [/^From:.*$/m, 'From: "'],
    [/^Via:.*$/m, 'Via: nonsense'],
    [/^To:/m, 'To: <sip:a@b>\r\nTo:'],
    [/^Call-ID:.*$/m, 'Call-ID:'],
    [/^Contact:.*$/m, `X-Long: ${'a'.repeat(20_000)}`],
  ];
  const [pattern, by] = damages[pick % damages.length]!;
  return Buffer.from(text.replace(pattern, by));
}

test.each(['udp', 'tcp'] as const)(
  'any life over %s: every request is answered, and nothing is left',
  { timeout: 20_000 },
  async (transport) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const life = new Life(transport);
        for (const each of steps) await life.take(each);
        await life.end();
        expect(life.owed).toEqual([]);
        expect(life.left).toEqual({ dialogs: 0, pending: 0, servers: 0, clients: 0, timers: 0 });
        // Only what the app itself has thrown.
        for (const { err } of life.errors as { err: Error }[]) expect(err.message).toBe('the app has failed');
      }),
      { numRuns: 150 },
    );
  },
);
