// The signature of Standard Webhooks (https://www.standardwebhooks.com, symmetric scheme v1).
import { createHmac } from 'node:crypto';

/** The key in a secret `whsec_<base64>`; null if it is none of 24 to 64 octets. */
export function webhookKey(secret: string): Buffer | null {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (encoded === undefined) return null;
  const key = Buffer.from(encoded, 'base64');
  return key.length >= 24 && key.length <= 64 ? key : null;
}

/** The three headers of a signed message. `atMs` is when it is sent, not when the event was. */
export function signatureHeaders(
  key: Buffer,
  message: { eventId: string; atMs: number; body: string },
): Record<string, string> {
  const timestamp = String(Math.floor(message.atMs / 1000));
  const signature = createHmac('sha256', key)
    .update(`${message.eventId}.${timestamp}.${message.body}`)
    .digest('base64');
  return {
    'webhook-id': message.eventId,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}
