// Recordings out of captures: of OpenSIPS as tcpdump wrote them, of a bare journal, and of what a crash left.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { recordingDocument } from '../../src/recording/document.ts';
import { recoverFrom } from '../../src/recover/recover.ts';
import { SipSegments } from '../../src/recover/sip-segments.ts';
import { createRenderer } from '../../src/render/renderer.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { START_MS, talk, tone, writeJournal } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const render = createRenderer({ log: silentLog, concurrency: 1 });
afterAll(() => render.close());

let directory: string;
let output: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  output = join(directory, 'recovered');
});

const recover = (path: string) =>
  recoverFrom(path, {
    output,
    nameTemplate: '{start}_{caller}_{callee}_{id}',
    audio: { layout: 'stereo', sampleRateHz: null },
    render,
  });
const captured = (name: string) => fileURLToPath(new URL(`../fixtures/opensips/${name}/${name}.pcap`, import.meta.url));

const twoTones = [
  ...talk({ streamId: 's0', fromMs: 0, toMs: 2_000, signal: tone(440) }),
  ...talk({ streamId: 's1', fromMs: 0, toMs: 2_000, signal: tone(880) }),
];

function expectTwoTones(path: string): void {
  const { channels, sampleRateHz } = readWav(join(path, 'audio.wav'));
  for (const [channel, [own, other]] of [
    [440, 880],
    [880, 440],
  ].entries()) {
    expect(toneLevel(channels[channel]!, sampleRateHz, own!, 100, 1_900)).toBeGreaterThan(-13);
    expect(toneLevel(channels[channel]!, sampleRateHz, other!, 100, 1_900)).toBeLessThan(-40);
  }
}

describe('a capture of a SIPREC call', () => {
  test('parties, streams and media as its SIP says', async () => {
    const [recovered, ...others] = await recover(captured('udp-basic'));
    expect(others).toEqual([]);
    const { document } = recovered!;
    expect(() => recordingDocument.parse(document)).not.toThrow();
    expect(document).toMatchObject({ source: 'import', state: 'finished', endReason: 'ended', warnings: [] });
    expect(document.participants.map(({ role, channel }) => [role, channel])).toEqual([
      ['caller', 0],
      ['callee', 1],
    ]);
    expect(document.streams).toMatchObject([
      { label: '0', packets: 200, codecs: ['PCMU/8000'], rule: 'participant-stream-association' },
      { label: '1', packets: 195, codecs: ['PCMU/8000'], rule: 'participant-stream-association' },
    ]);
    expect(readdirSync(recovered!.directory).sort()).toEqual(['audio.wav', 'capture.pcapng', 'recording.json']);
    expect(readdirSync(output)).toHaveLength(1);
  });

  test('hold and resume, with the re-INVITEs', async () => {
    const [recovered] = await recover(captured('hold-sendonly'));
    const types = recovered!.document.timeline.map(({ type }) => type);
    expect(types.filter((type) => type === 'hold' || type === 'resume')).toEqual(['hold', 'resume']);
  });

  test('what was recovered can be recovered again, from the journal alone', async () => {
    const [first] = await recover(captured('udp-basic'));
    const [again] = await recover(join(first!.directory, 'capture.pcapng'));
    expect(again!.document.streams.map(({ packets, label }) => [packets, label])).toEqual([
      [200, '0'],
      [195, '1'],
    ]);
    expect(again!.document.participants).toEqual(first!.document.participants);
  });
});

describe('a journal of ours', () => {
  test('alone, without SIP: each stream is one, and it is said that nobody knows whose', async () => {
    writeJournal(join(directory, 'capture.pcapng'), twoTones);
    const [recovered] = await recover(directory);
    expect(recovered!.document).toMatchObject({ state: 'finished', warnings: [{ code: 'signalling-missing' }] });
    expectTwoTones(recovered!.directory);
  });

  test('with its session.json', async () => {
    const spool = join(directory, 'spool');
    mkdirSync(spool);
    writeJournal(join(directory, 'capture.pcapng'), twoTones);
    const [bare] = await recover(directory);
    copyFileSync(join(bare!.directory, 'capture.pcapng'), join(spool, 'capture.pcapng'));
    const stream = (streamId: string, label: string) => ({
      streamId,
      key: label,
      label,
      formats: [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, channels: 1, fmtp: null }],
      receiving: true,
      address: { rtpPort: 40_000, rtcpPort: 40_001 },
      present: true,
    });
    const party = (id: string, label: string) => ({
      participantId: id,
      aor: `sip:${id}@x`,
      name: id,
      sends: [label],
      role: null,
    });
    const state = {
      version: 1,
      recordingId: '0f1e2d3c-0000-4000-8000-000000000001',
      source: 'siprec',
      phase: 'recording',
      endReason: null,
      startMs: START_MS,
      endMs: null,
      startWallMs: START_MS,
      clock: null,
      call: {
        participants: [party('alice', '0'), party('bob', '1')],
        identifiers: { sipCallId: 'c', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
        statedStartMs: null,
        extraHeaders: [],
      },
      streams: [stream('s0', '0'), stream('s1', '1')],
      events: [{ type: 'started', atMs: START_MS }],
      metadata: [],
      warnings: [],
      peer: null,
      statistics: null,
      door: null,
    };
    writeFileSync(join(spool, 'session.json'), JSON.stringify(state));
    const [recovered] = await recover(spool);
    expect(recovered!.document).toMatchObject({
      endReason: 'interrupted',
      participants: [{ id: 'alice' }, { id: 'bob' }],
    });
    expectTwoTones(recovered!.directory);
    expect(readdirSync(spool).sort()).toEqual(['capture.pcapng', 'session.json']);
  });
});

test('what cannot be recovered is said in words', async () => {
  await expect(recover(directory)).rejects.toThrow('holds neither session.json nor capture.pcapng');
  writeFileSync(join(directory, 'x.pcap'), 'nonsense');
  await expect(recover(join(directory, 'x.pcap'))).rejects.toThrow('neither a pcap nor a pcapng file');
  writeJournal(join(directory, 'capture.pcapng'), []);
  await expect(recover(directory)).rejects.toThrow('no recording session and no RTP');
});

describe('SIP over TCP', () => {
  const ends = { source: { host: 'a', port: 1 }, destination: { host: 'b', port: 2 } };
  const message = (body: string) => `INFO sip:x SIP/2.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const text = message('one') + message('two') + message('three');

  test.each([1, 7, 40, 1000])('in segments of %d octets, in any order, some of them twice', (octets) => {
    const segments = new SipSegments();
    const got: string[] = [];
    const pieces: [number, Buffer][] = [];
    for (let at = 0; at < text.length; at += octets) pieces.push([at, Buffer.from(text.slice(at, at + octets))]);
    const [first, ...rest] = pieces;
    for (const [at, piece] of [first!, ...rest.reverse(), ...pieces]) {
      got.push(...segments.add(ends, (0xffff_fff0 + at) >>> 0, piece));
    }
    expect(got.join('')).toBe(text);
  });
});
