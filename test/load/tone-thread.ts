// The far end of distant-tone-sender.ts.
import { parentPort } from 'node:worker_threads';
import type { ToneEvent, ToneOrder, ToneReport } from './distant-tone-sender.ts';
import { ToneSender } from './tone-sender.ts';

const sender = new ToneSender();
const events: ToneEvent[] = [];

function note(call: number, what: ToneEvent['what']): void {
  events.push({ call, what, atMs: performance.timeOrigin + performance.now() });
}

parentPort!.on('message', (order: ToneOrder) => {
  switch (order.order) {
    case 'talk':
      sender.talk(order.call, order.target);
      return note(order.call, 'talk');
    case 'whisper':
      sender.whisper(order.call);
      return note(order.call, 'pause');
    case 'end':
      return sender.end(order.call);
    case 'report': {
      const { packetsSent, worstLagMs } = sender;
      parentPort!.postMessage({ packetsSent, worstLagMs, events } satisfies ToneReport);
    }
  }
});
