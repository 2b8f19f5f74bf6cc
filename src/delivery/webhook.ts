// A webhook: the event as JSON by POST, signed.
import type { DeliveryEvent, EventType } from './event.ts';
import { callReceiver } from './http-call.ts';
import { signatureHeaders } from './signature.ts';
import type { DeliveryTarget } from './target.ts';

export interface WebhookOptions {
  name: string;
  url: URL;
  events: readonly EventType[];
  /** Null: not signed. */
  key: Buffer | null;
  headers: Record<string, string>;
  internal: 'allowed' | 'refused';
  timeoutMs: number;
  /** `https://recorder.example`, for the links; null: links are paths. */
  publicUrl: string | null;
  userAgent: string;
  wallMs: () => number;
}

export function createWebhook(options: WebhookOptions): DeliveryTarget {
  const { name, url, events, key, headers, internal, timeoutMs, userAgent, wallMs } = options;
  return {
    name,
    events,
    async deliver(event, signal) {
      const body = webhookBody(event, options.publicUrl);
      const signature = key && signatureHeaders(key, { eventId: event.eventId, atMs: wallMs(), body });
      await callReceiver({
        method: 'POST',
        url,
        headers: {
          ...headers,
          'content-type': 'application/json; charset=utf-8',
          'content-length': String(Buffer.byteLength(body)),
          'user-agent': userAgent,
          'idempotency-key': event.eventId,
          ...(signature ?? { 'webhook-id': event.eventId }),
        },
        body,
        internal,
        timeoutMs,
        signal,
      });
    },
  };
}

/** The same text for every attempt. */
export function webhookBody({ type, atMs, recordingId, data }: DeliveryEvent, publicUrl: string | null): string {
  const links = type === 'recording.deleted' ? {} : { links: linksOf(recordingId, type, publicUrl) };
  return JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), data: { ...data, ...links } });
}

/** Paths of our own HTTP API. */
function linksOf(recordingId: string, type: EventType, publicUrl: string | null): Record<string, string> {
  const base = `${(publicUrl ?? '').replace(/\/+$/, '')}/api/recordings/${encodeURIComponent(recordingId)}`;
  if (type === 'recording.started') return { recording: base };
  return { recording: base, audio: `${base}/audio`, journal: `${base}/journal` };
}
