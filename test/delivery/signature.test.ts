import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { signatureHeaders, webhookKey } from '../../src/delivery/signature.ts';

// The example of the Standard Webhooks libraries' own tests (standardwebhooks.com, reference implementations).
test('the reference example', () => {
  const key = webhookKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')!;
  expect(
    signatureHeaders(key, {
      eventId: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      atMs: 1_614_265_330_999,
      body: '{"test": 2432232314}',
    }),
  ).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('what a receiver computes by itself is the same', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const headers = signatureHeaders(webhookKey(secret)!, { eventId: 'e', atMs: 5_000, body: '{"ü":1}' });
  const expected = createHmac('sha256', Buffer.alloc(32, 7)).update('e.5.{"ü":1}').digest('base64');
  expect(headers['webhook-signature']).toBe(`v1,${expected}`);
});

test.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', `whsec_${'A'.repeat(100)}`])(
  'no secret: %j',
  (secret) => expect(webhookKey(secret)).toBeNull(),
);
