// The captured-call peer itself: what reaches a server when an OpenSIPS call is replayed with SIPp.
import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';
import { runCapturedCall, sippAvailable } from '../peers/captured-call.ts';
import { plainSrs } from './plain-srs.ts';

const fixture = (path: string) =>
  readFileSync(new URL(`../fixtures/opensips/${path}`, import.meta.url), 'latin1')
    .split('\r\n\r\n')
    .slice(1)
    .join('\r\n\r\n');
const bodyOf = (request: string | undefined) => request?.slice(request.indexOf('\r\n\r\n') + 4);
const methods = (requests: string[]) => requests.map((request) => request.slice(0, request.indexOf(' ')));

if (!sippAvailable()) process.stderr.write('SKIPPED: sipp is not installed (Debian: sip-tester)\n');

describe.skipIf(!sippAvailable())('captured calls', { concurrent: true }, () => {
  test.for(['udp', 'tcp'] as const)(
    'udp-basic over %s: verbatim body, media of both streams',
    async (transport, { expect, onTestFinished }) => {
      const srs = await plainSrs(transport);
      onTestFinished(() => srs.close());
      const result = await runCapturedCall({
        scenario: 'udp-basic',
        transport,
        sipHost: '127.0.0.1',
        sipPort: srs.port,
      });
      expect(result).toEqual({
        exitCode: 0,
        callId: expect.stringMatching(/^B2B\.263\.\d+\.\d+\.\d+$/),
        packetsSent: { 0: 200, 1: 195 },
        sent: expect.any(Object),
        complaints: '',
      });
      expect(methods(srs.requests)).toEqual(['INVITE', 'ACK', 'BYE']);
      expect(bodyOf(srs.requests[0])).toBe(fixture('udp-basic/001-INVITE.sip'));
      expect(srs.requests[0]).toContain(`Call-ID: ${result.callId}\r\n`);
      expect(srs.received.map((packets) => packets.map(({ packet }) => packet.toString('hex')))).toEqual(
        ['0', '1'].map((label) => result.sent[label]!.map(({ payload }) => payload.toString('hex'))),
      );
      expect(srs.received.map((packets) => packets.length)).toEqual([200, 195]);
      // First payload octets from the capture's media report.
      expect(srs.received[0]![0]!.packet.subarray(0, 20).toString('hex')).toBe(
        '80000001000029c0ca1100004c4d5159ecd5d8cc',
      );
      expect(srs.received[1]![0]!.packet.subarray(0, 20).toString('hex')).toBe(
        '8000000000003f40ca110000ffd1cbd1ff514b51',
      );
      const [first, last] = [srs.received[0]![0]!, srs.received[0]!.at(-1)!];
      expect(last.atMs - first.atMs).toBeGreaterThan(3900);
      expect(last.atMs - first.atMs).toBeLessThan(4100);
    },
  );

  test('hold-sendonly: three phases, the callee comes back from another port', { timeout: 30_000 }, async ({
    expect,
    onTestFinished,
  }) => {
    const srs = await plainSrs('udp');
    onTestFinished(() => srs.close());
    const result = await runCapturedCall({
      scenario: 'hold-sendonly',
      transport: 'udp',
      sipHost: '127.0.0.1',
      sipPort: srs.port,
    });
    expect(result).toMatchObject({ exitCode: 0, packetsSent: { 0: 451, 1: 301 }, complaints: '' });
    expect(methods(srs.requests)).toEqual(['INVITE', 'ACK', 'INVITE', 'ACK', 'INVITE', 'ACK', 'BYE']);
    expect(bodyOf(srs.requests[2])).toBe(fixture('hold-sendonly/005-INVITE.sip'));
    expect(bodyOf(srs.requests[4])).toBe(fixture('hold-sendonly/008-INVITE.sip'));
    expect(srs.received.map((packets) => packets.length)).toEqual([451, 301]);
    const senders = srs.received.map((packets) => new Set(packets.map(({ fromPort }) => fromPort)).size);
    expect(senders).toEqual([1, 2]);
  });

  test('a server that is not there: an exit code, not a hang', async ({ expect }) => {
    const srs = await plainSrs('tcp');
    await srs.close();
    const result = await runCapturedCall({
      scenario: 'udp-basic',
      transport: 'tcp',
      sipHost: '127.0.0.1',
      sipPort: srs.port,
    });
    expect(result.exitCode).not.toBe(0);
    expect(result.packetsSent).toEqual({ 0: 0, 1: 0 });
  });
});
