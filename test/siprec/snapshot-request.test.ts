// Metadata asked for where none came: whom, when, once, and what becomes of the answer (RFC 7866 §9.2).
import { expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { readSipHeaders } from '../../src/siprec/sip-headers.ts';
import { SnapshotRequest } from '../../src/siprec/snapshot-request.ts';
import type { InDialogResult } from '../../src/siprec/srf.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { METADATA } from './bodies.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function build(headers: string[], result: Partial<InDialogResult> = {}) {
  const clock = new ManualClock();
  const sent: { method: string; headers: Record<string, string>; body: string }[] = [];
  const changes: string[] = [];
  const content = {
    hasMetadata: false,
    change: async (body: { metadata: { text: string } | null }) => changes.push(body.metadata?.text ?? '') > 0,
  };
  const request = new SnapshotRequest({
    clock,
    log: silentLog,
    headers: readSipHeaders(['INVITE sip:srs SIP/2.0', ...headers, '', ''].join('\r\n')),
    content,
    inTurn: async (step) => step(),
    send: async (method, given, body) => {
      sent.push({ method, headers: given, body });
      return { sentRaw: '', receivedRaw: null, status: 200, error: null, ...result };
    },
  });
  const afterAWhile = async () => {
    clock.advance(60_000);
    await settle();
  };
  return { clock, content, sent, changes, request, afterAWhile };
}

test('an UPDATE with the request as its body, once', async () => {
  const { request, sent, clock, afterAWhile } = build(['Require: siprec']);
  request.start();
  clock.advance(1_000);
  await settle();
  expect(sent).toEqual([]);
  await afterAWhile();
  request.start();
  await afterAWhile();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({
    method: 'UPDATE',
    headers: { 'Content-Type': 'application/rs-metadata-request', 'Content-Disposition': 'recording-session' },
  });
  expect(sent[0]?.body).toContain('<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">');
});

test.each<[string, string[], boolean]>([
  ['says that it takes them', ['Accept: application/sdp, application/rs-metadata-request'], true],
  ['says so in its own spelling', ['Accept: application/sdp,\r\n Application/RS-Metadata-Request;q=1'], true],
  ['claims to be a recording client', ['Require: siprec'], true],
  ['is OpenSIPS', ['Require: siprec', 'User-Agent: OpenSIPS (3.4.2 (x86_64/linux))'], false],
  ['says neither', ['Accept: application/sdp'], false],
])('a client that %s', async (_, headers, asked) => {
  const { request, sent, afterAWhile } = build(headers);
  request.start();
  await afterAWhile();
  expect(sent).toHaveLength(asked ? 1 : 0);
});

test('metadata that comes meanwhile spares the question; so does the end', async () => {
  const late = build(['Require: siprec']);
  late.request.start();
  late.content.hasMetadata = true;
  await late.afterAWhile();
  const over = build(['Require: siprec']);
  over.request.start();
  over.request.close();
  await over.afterAWhile();
  expect([late.sent, over.sent]).toEqual([[], []]);
});

test('a snapshot in the answer is taken in; a refusal, an echo and silence change nothing', async () => {
  const answer = (type: string, body: string) => `SIP/2.0 200 OK\r\nContent-Type: ${type}\r\n\r\n${body}`;
  for (const [result, expected] of [
    [{ receivedRaw: answer('application/rs-metadata+xml', METADATA) }, [METADATA]],
    [{ receivedRaw: answer('application/sdp', 'v=0\r\n') }, []],
    [{ status: 488, receivedRaw: 'SIP/2.0 488 Not Acceptable Here\r\n\r\n' }, []],
    [{ status: 0, error: 'no response' }, []],
  ] as const) {
    const { request, changes, afterAWhile } = build(['Require: siprec'], result);
    request.start();
    await afterAWhile();
    expect(changes).toEqual(expected);
  }
});
