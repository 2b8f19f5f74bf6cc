// INVITEs captured from OpenSIPS, read down to the last field. UPDATE_EXPECTED=1 writes the expected files anew: read the diff.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeCall } from '../../src/siprec/call-description.ts';
import { judgeInvite } from '../../src/siprec/invite.ts';
import { readMetadata } from '../../src/siprec/metadata/read.ts';
import { readRecordingBody } from '../../src/siprec/multipart.ts';
import { readOffer } from '../../src/siprec/sdp.ts';
import { bodyOfSipMessage, headerValue, readSipHeaders } from '../../src/siprec/sip-headers.ts';

const root = new URL('../fixtures/opensips/', import.meta.url);
const invites = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /^[\w-]+[/\\]\d{3}-INVITE\.sip$/.test(name))
  .sort();

function readInvite(message: string) {
  const headers = readSipHeaders(message);
  const body = readRecordingBody(headerValue(headers, 'content-type'), bodyOfSipMessage(message));
  const offer = readOffer(body.sdp ?? '');
  const { metadata, warnings } = readMetadata(body.metadata?.text ?? '');
  const call = describeCall({
    sipCallId: headerValue(headers, 'call-id') ?? '',
    requestUri: /^INVITE (\S+)/.exec(message)?.[1] ?? '',
    headers,
    metadata,
    labels: offer.mediaLines.flatMap((line) => line.label ?? []),
  });
  return {
    refusal: judgeInvite(headers, body, offer.mediaLines, false),
    warnings: [...body.warnings, ...offer.warnings, ...warnings],
    others: body.others,
    mediaLines: offer.mediaLines.map((line) => ({
      ...line,
      rtpmaps: Object.fromEntries(line.rtpmaps),
      fmtps: Object.fromEntries(line.fmtps),
    })),
    metadata,
    call,
  };
}

describe('captured from OpenSIPS', () => {
  test('all captures are here', () => {
    expect(invites).toHaveLength(13);
  });

  test.each(invites)('%s', (name) => {
    const read = readInvite(readFileSync(new URL(name, root), 'utf8'));
    const expected = new URL(name.replace(/\.sip$/, '.json'), root);
    if (process.env.UPDATE_EXPECTED) writeFileSync(expected, `${JSON.stringify(read, null, 2)}\n`);
    expect(read).toEqual(JSON.parse(readFileSync(expected, 'utf8')));
  });

  test('fuzz: mutated captures never throw, and a damaged body never costs the Call-ID', () => {
    const message = readFileSync(new URL('meta-full/001-INVITE.sip', root), 'utf8');
    const bodyStart = message.indexOf('\r\n\r\n');
    fc.assert(
      fc.property(fc.nat(message.length), fc.nat(60), fc.string({ maxLength: 8 }), (at, remove, insert) => {
        const { call } = readInvite(message.slice(0, at) + insert + message.slice(at + remove));
        if (at > bodyStart) expect(call.identifiers.sipCallId).toBe('B2B.461.5051466.1795222871.1515526042');
      }),
      { numRuns: 400 },
    );
  });
});
