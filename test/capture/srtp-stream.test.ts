// SRTP at a stream's ports: what the journal and the figures have of it.
import { describe, expect, test } from 'vitest';
import { looksProtected } from '../../src/capture/looks-protected.ts';
import { MAX_UNDECRYPTED_OCTETS } from '../../src/capture/undecrypted-packets.ts';
import type { MediaFormat, StreamSrtp } from '../../src/recording/media.ts';
import { RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import { createSrtpContext } from '../../src/rtp/srtp/context.ts';
import { KeyedTransform } from '../../src/rtp/srtp/keyed-transform.ts';
import type { SrtpMasterKey } from '../../src/rtp/srtp/master-key.ts';
import { writeMasterKey } from '../../src/rtp/srtp/master-key-text.ts';
import { PacketView } from '../../src/rtp/srtp/packet-view.ts';
import { createSrtpSender } from '../../src/rtp/srtp/sender.ts';
import { masterKey, protectRtcp, protectRtp, SUITES, unprotectRtcp } from '../rtp/srtp/packets.ts';
import { rtp, senderReport } from './packets.ts';
import { peer, REPORT_INTERVAL_MS, type StreamUnderTest, streamFixture } from './stream-under-test.ts';

const newStream = streamFixture();
const A = peer('10.0.0.1');
const B = peer('10.0.0.2');
const SUITE = 'AES_CM_128_HMAC_SHA1_80';
const ALICE = masterKey(SUITE, 'alice');
const BOB = masterKey(SUITE, 'bob');
const OURS = masterKey(SUITE, 'ours');
const STRANGER = masterKey(SUITE, 'stranger');

const keys = (receiving: SrtpMasterKey[], plainToo = false): StreamSrtp => ({
  receiving: receiving.map(writeMasterKey),
  sending: writeMasterKey(OURS),
  plainToo,
});

const secure = (receiving = [ALICE], plainToo = false) => newStream({ reports: true, srtp: keys(receiving, plainToo) });

/** As a sender with that rollover counter would send it. */
function protectedLate(key: SrtpMasterKey, packet: Buffer, roc: number): Buffer {
  const view = new PacketView();
  view.readRtp(packet, 0, packet.length);
  const into = Buffer.alloc(packet.length + 64);
  return Buffer.from(into.subarray(0, new KeyedTransform(key).sealRtp(view, roc, into)));
}

const undecrypted = (tested: StreamUnderTest) =>
  tested.journalled().filter(({ interfaceName }) => interfaceName === 's0-encrypted');

describe('packets that a key opens', () => {
  test.each(SUITES)('%s: RTP and RTCP stand decrypted in the journal', (suite) => {
    const key = masterKey(suite, 'alice');
    const tested = newStream({ srtp: keys([key]) });
    const sender = createSrtpSender(key);
    const packet = rtp({ seq: 7 });
    const report = senderReport({ ssrc: 1 });
    tested.media(protectRtp(sender, packet), A);
    tested.control(protectRtcp(sender, report), peer(A.host, 30_001));
    expect(tested.journalled()).toMatchObject([
      { interfaceName: 's0', payload: packet.toString('latin1'), source: '10.0.0.1:30000' },
      { interfaceName: 's0', payload: report.toString('latin1'), source: '10.0.0.1:30001' },
    ]);
    expect(tested.stream.statistics()).toMatchObject({ packets: 1, octets: 160, rtcpPackets: 1, drops: {} });
    expect(tested.stream.statistics()).not.toHaveProperty('undecrypted');
  });

  test('whoever comes late has a rollover counter that nobody told: it is found', () => {
    const tested = secure();
    for (const seq of [100, 101]) tested.media(protectedLate(ALICE, rtp({ seq }), 9), A);
    expect(tested.sequence()).toEqual([100, 101]);
    expect(tested.stream.statistics().drops).toEqual({});
  });

  test('a replayed packet is counted and stands once in the journal', () => {
    const tested = secure();
    const packet = protectRtp(createSrtpSender(ALICE), rtp({ seq: 7 }));
    for (const source of [A, A, B]) tested.media(packet, source);
    expect(tested.sequence()).toEqual([7]);
    expect(tested.stream.statistics().drops).toEqual({ srtpReplay: 1, otherSource: 1 });
  });

  test('any key of the offer may be the one; new keys come by re-INVITE, and the old ones still open what is under way', () => {
    const tested = secure([ALICE, BOB]);
    const before = createSrtpSender(BOB);
    const after = createSrtpSender(STRANGER);
    tested.media(protectRtp(before, rtp({ seq: 1 })), A);
    tested.stream.update({ receiving: true, srtp: keys([STRANGER, ALICE]) }, tested.clock.nowMs());
    tested.media(protectRtp(before, rtp({ seq: 2 })), A);
    tested.media(protectRtp(after, rtp({ seq: 4 })), A);
    tested.media(protectRtp(before, rtp({ seq: 3 })), A);
    tested.media(protectRtp(after, rtp({ seq: 5 })), A);
    expect(tested.sequence()).toEqual([1, 2, 4, 3, 5]);
    expect(tested.stream.statistics().drops).toEqual({});
  });

  test('a stream that was plain becomes protected', () => {
    const tested = newStream();
    tested.media(rtp({ seq: 1 }), A);
    tested.stream.update({ srtp: keys([ALICE]) }, tested.clock.nowMs());
    tested.media(protectRtp(createSrtpSender(ALICE), rtp({ seq: 2 })), A);
    tested.media(rtp({ seq: 3 }), A);
    expect(tested.journalled().map(({ interfaceName }) => interfaceName)).toEqual(['s0', 's0', 's0-encrypted']);
  });

  test('our receiver reports leave protected with our own key', () => {
    const tested = secure();
    const sender = createSrtpSender(ALICE);
    for (const seq of [1, 2, 3]) tested.media(protectRtp(sender, rtp({ seq })), A);
    tested.clock.advance(REPORT_INTERVAL_MS);
    const report = tested.stream.reportIfDue(tested.clock.nowMs())!;
    const plain = unprotectRtcp(createSrtpContext([OURS]), Buffer.from(report.octets));
    expect(plain.slice(0, 2)).toEqual(Buffer.from([0x81, 201]));
  });
});

describe('packets that no key opens', () => {
  test('stand as they came on an interface of their own, are counted, and show that somebody is there', () => {
    const tested = secure();
    const sender = createSrtpSender(STRANGER);
    const [packet, report] = [protectRtp(sender, rtp({ seq: 7 })), protectRtcp(sender, senderReport({ ssrc: 1 }))];
    tested.media(packet, A);
    tested.control(report, peer(A.host, 30_001));
    tested.media(rtp({ seq: 8 }), A);
    expect(undecrypted(tested).map(({ payload }) => payload)).toEqual(
      [packet, report, rtp({ seq: 8 })].map((octets) => octets.toString('latin1')),
    );
    const { packets, rtcpPackets, drops, undecrypted: kept } = tested.stream.statistics();
    expect({ packets, rtcpPackets, drops, kept }).toEqual({
      packets: 0,
      rtcpPackets: 0,
      drops: { srtpAuth: 3 },
      kept: 3,
    });
    expect(tested.stream.lastPacketMs).toBe(tested.clock.nowMs());
    tested.clock.advance(REPORT_INTERVAL_MS);
    expect(tested.stream.reportIfDue(tested.clock.nowMs())).toBe(null);
  });

  test('of others, beside a sender who has the keys, are nothing', () => {
    const tested = secure();
    tested.media(protectRtp(createSrtpSender(ALICE), rtp({ seq: 1 })), A);
    tested.media(protectRtp(createSrtpSender(STRANGER), rtp({ seq: 2 })), B);
    expect(tested.journalled()).toHaveLength(1);
    expect(tested.stream.statistics()).toMatchObject({ packets: 1, drops: { otherSource: 1 } });
  });

  test('are kept up to a bound', () => {
    const tested = secure();
    const packet = protectRtp(createSrtpSender(STRANGER), rtp({ seq: 7, octets: 16_000 }));
    const fits = Math.floor(MAX_UNDECRYPTED_OCTETS / packet.length);
    const spare = Buffer.alloc(64);
    for (let sent = 0; sent < fits + 2; sent++) {
      tested.media(packet, A);
      tested.writer.take(spare);
    }
    expect(tested.stream.statistics()).toMatchObject({ undecrypted: fits, drops: { srtpAuth: fits, srtpNotKept: 2 } });
  });

  test('a sender who went on with an unknown key is kept encrypted from there on', () => {
    const tested = secure();
    tested.media(protectRtp(createSrtpSender(ALICE), rtp({ seq: 1 })), A);
    tested.media(protectRtp(createSrtpSender(STRANGER), rtp({ seq: 2 })), A);
    expect(tested.journalled().map(({ interfaceName }) => interfaceName)).toEqual(['s0', 's0-encrypted']);
  });
});

describe('an m-line that leaves it open', () => {
  test('takes what comes plain, and what comes protected', () => {
    const tested = secure([ALICE], true);
    tested.media(rtp({ seq: 1, ssrc: 1 }), A);
    tested.media(protectRtp(createSrtpSender(ALICE), rtp({ seq: 2, ssrc: 2 })), A);
    tested.control(senderReport({ ssrc: 1 }), peer(A.host, 30_001));
    expect(tested.journalled().map(({ payload }) => payload)).toEqual(
      [rtp({ seq: 1, ssrc: 1 }), rtp({ seq: 2, ssrc: 2 }), senderReport({ ssrc: 1 })].map((octets) =>
        octets.toString('latin1'),
      ),
    );
    expect(tested.stream.statistics().drops).toEqual({});
  });

  test('reports are plain until the sender shows that he knows SRTP', () => {
    const tested = secure([ALICE], true);
    for (const seq of [1, 2, 3]) tested.media(rtp({ seq }), A);
    tested.clock.advance(REPORT_INTERVAL_MS);
    expect(Buffer.from(tested.stream.reportIfDue(tested.clock.nowMs())!.octets).subarray(-4).length).toBe(4);
    const sender = createSrtpSender(ALICE);
    for (const seq of [4, 5, 6]) tested.media(protectRtp(sender, rtp({ seq })), A);
    tested.clock.advance(2 * REPORT_INTERVAL_MS);
    const report = Buffer.from(tested.stream.reportIfDue(tested.clock.nowMs())!.octets);
    expect(unprotectRtcp(createSrtpContext([OURS]), report)).toBeInstanceOf(Buffer);
  });

  test('G.711 under an unknown key is not taken for audio', () => {
    const tested = secure([ALICE], true);
    for (const suite of SUITES) tested.media(protectRtp(createSrtpSender(masterKey(suite, 'x')), rtp({ seq: 1 })), A);
    expect(tested.stream.statistics()).toMatchObject({ packets: 0, undecrypted: SUITES.length });
  });

  test('who was authentic cannot become plain', () => {
    const tested = secure([ALICE], true);
    tested.media(protectRtp(createSrtpSender(ALICE), rtp({ seq: 1 })), A);
    tested.media(rtp({ seq: 2 }), A);
    expect(tested.stream.statistics()).toMatchObject({ packets: 1, drops: { srtpAuth: 1 } });
  });
});

describe('what the length of a packet tells', () => {
  const format = (encoding: string, clockRateHz: number, channels = 1): MediaFormat => ({
    payloadType: 0,
    encoding,
    clockRateHz,
    channels,
    fmtp: null,
  });
  test.each([
    ['PCMU of 20 ms', format('PCMU', 8000), 160, false],
    ['PCMA of 5 ms', format('PCMA', 8000), 40, false],
    ['PCMU and a tag of 10', format('PCMU', 8000), 170, true],
    ['PCMU and a tag of 4', format('PCMU', 8000), 164, true],
    ['PCMU and a tag of 16', format('PCMU', 8000), 176, true],
    ['G.722 of 20 ms', format('G722', 8000), 160, false],
    ['L16 at 16 kHz, stereo', format('L16', 16_000, 2), 1280, false],
    ['L16 at 44.1 kHz', format('L16', 44_100), 1764, false],
    ['a telephone event', format('TELEPHONE-EVENT', 8000), 4, false],
    ['a telephone event and a tag', format('TELEPHONE-EVENT', 8000), 14, true],
    ['Opus', format('OPUS', 48_000, 2), 77, null],
  ] as const)('%s', (_name, known, octets, expected) => {
    const packet = rtp({ seq: 1, octets });
    packet[1] = 0;
    const header = new RtpHeader();
    expect(readRtpHeader(packet, 0, packet.length, header)).toBe(null);
    expect(looksProtected(header, [known])).toBe(expected);
    expect(looksProtected(header, [])).toBe(null);
  });
});
