// A journal as Wireshark understands it. Needs tshark; skipped, and said to be so, where it is missing.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import { writeReceiverReport } from '../../src/rtp/receiver-report.ts';
import { journalFile, takeAll } from './read-journal.ts';
import { rtp, writeSample } from './sample-journal.ts';

const isMissing = spawnSync('tshark', ['--version']).status !== 0;
const file = journalFile();
const START_MS = Date.UTC(2026, 0, 1, 12);

/** One row per packet that the display filter passes, in the order of the fields. Several values of a field are joined by commas. */
function dissect(journal: Buffer, filter: string, fields: string[], more: string[] = []): string[][] {
  writeFileSync(file.path, journal);
  const checked = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const wanted = fields.flatMap((field) => ['-e', field]);
  const args = [
    '-n',
    '-r',
    file.path,
    '-Y',
    filter,
    '-T',
    'fields',
    '-E',
    'separator=/t',
    ...wanted,
    ...checked,
    ...more,
  ];
  const { stdout, stderr, status } = spawnSync('tshark', args, { encoding: 'utf8' });
  expect({ status, stderr: stderr.replace(/^Running as user.*\n/, '') }).toEqual({ status: 0, stderr: '' });
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

const RTP = ['-d', 'udp.port==40000,rtp', '-d', 'udp.port==40002,rtp', '-d', 'udp.port==40001,rtcp'];

describe.skipIf(isMissing)('tshark', () => {
  test('RTP and RTCP: interfaces, addresses, ports, times, numbers, checksums', () => {
    const writer = new JournalWriter();
    writer.beginSection();
    const [s0, s1] = [writer.addInterface('s0', 'label 1'), writer.addInterface('s1', 'label 2')];
    const v4 = datagramFlow({ host: '192.0.2.1', port: 30_000 }, { host: '198.51.100.9', port: 40_000 });
    const v6 = datagramFlow({ host: '2001:db8::1', port: 30_002 }, { host: '2001:db8::9', port: 40_002 });
    const rtcp = datagramFlow({ host: '192.0.2.1', port: 30_001 }, { host: '198.51.100.9', port: 40_001 });
    const speech = 'x'.repeat(160);
    for (let i = 0; i < 3; i++) {
      const [a, b] = [rtp(65_534 + i, speech), rtp(100 + i, speech.slice(i))];
      writer.writeDatagram(s0, START_MS + i * 20 + 0.25, v4, a, 0, a.length);
      writer.writeDatagram(s1, START_MS + i * 20 + 10, v6, b, 0, b.length);
    }
    const report = Buffer.alloc(400);
    const length = writeReceiverReport(report, 7, [], 'rec@198.51.100.9');
    writer.writeDatagram(s0, START_MS + 100, rtcp, report, 0, length);

    const fields = [
      'frame.interface_name',
      'frame.time_epoch',
      'ip.src',
      'ipv6.src',
      'udp.srcport',
      'ip.dst',
      'ipv6.dst',
      'udp.dstport',
    ];
    const rtpFields = [
      'rtp.seq',
      'rtp.timestamp',
      'rtp.ssrc',
      'rtp.p_type',
      'ip.checksum.status',
      'udp.checksum.status',
    ];
    const v4Row = (time: string, seq: number) =>
      ['s0', time, '192.0.2.1', '', '30000', '198.51.100.9', '', '40000'].concat([
        `${seq & 0xffff}`,
        `${seq * 160}`,
        '0x00000007',
        '0',
        '1',
        '3',
      ]);
    const v6Row = (time: string, seq: number) =>
      ['s1', time, '', '2001:db8::1', '30002', '', '2001:db8::9', '40002'].concat([
        `${seq}`,
        `${seq * 160}`,
        '0x00000007',
        '0',
        '',
        '1',
      ]);
    const journal = takeAll(writer);
    // Status of a checksum: 1 is good, 3 not present.
    expect(dissect(journal, 'rtp', [...fields, ...rtpFields], RTP)).toEqual([
      v4Row('1767268800.000250000', 65_534),
      v6Row('1767268800.010000000', 100),
      v4Row('1767268800.020250000', 65_535),
      v6Row('1767268800.030000000', 101),
      v4Row('1767268800.040250000', 65_536),
      v6Row('1767268800.050000000', 102),
    ]);
    expect(dissect(journal, 'rtcp', ['frame.number', 'rtcp.pt', 'rtcp.sdes.text'], RTP)).toEqual([
      ['7', '201,202', 'rec@198.51.100.9'],
    ]);
    expect(dissect(journal, '_ws.malformed || _ws.expert.severity >= 8388608', ['frame.number'], RTP)).toEqual([]);
  });

  test('SIP: methods and status of messages over UDP, TCP and TLS, however long', () => {
    const writer = new JournalWriter();
    writer.beginSection();
    const local = { host: '192.0.2.9', port: 5060 };
    const remote = { host: '198.51.100.1', port: 5070 };
    const sip = (start: string, body = '') =>
      Buffer.from(
        `${start}\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\n` +
          `CSeq: 1 INVITE\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    const INVITE = 'INVITE sip:rec@192.0.2.9 SIP/2.0';
    const common = { local, remote, direction: 'received', transport: 'udp' } as const;
    const messages = [
      { ...common, message: sip(INVITE, 'short') },
      { ...common, direction: 'sent', message: sip('SIP/2.0 200 OK') },
      { ...common, message: sip(INVITE, 'long '.repeat(14_000)) },
      { ...common, transport: 'tcp', direction: 'sent', message: sip('SIP/2.0 486 Busy Here') },
      { ...common, transport: 'tls', message: sip('BYE sip:rec@192.0.2.9 SIP/2.0', 'x'.repeat(100_000)) },
      {
        ...common,
        local: { host: '::1', port: 5060 },
        remote: { host: '2001:db8::1', port: 5070 },
        transport: 'tcp',
        message: sip(INVITE),
      },
    ] as const;
    messages.forEach((message, index) => {
      writer.writeSip({ ...message, timeMs: START_MS + index * 1000 });
    });
    const journal = takeAll(writer);
    const fields = [
      'frame.interface_name',
      'frame.time_relative',
      'udp.srcport',
      'tcp.srcport',
      'sip.Method',
      'sip.Status-Code',
      'sip.Content-Length',
    ];
    expect(dissect(journal, 'sip', fields)).toEqual([
      ['sip', '0.000000000', '5070', '', 'INVITE', '', '5'],
      ['sip', '1.000000000', '5060', '', '', '200', '0'],
      ['sip', '2.000000000', '', '5070', 'INVITE', '', '70000'],
      ['sip', '3.000000000', '', '5060', '', '486', '0'],
      ['sip', '4.000000000', '', '5070', 'BYE', '', '100000'],
      ['sip', '5.000000000', '', '5070', 'INVITE', '', '0'],
    ]);
    const segments = dissect(journal, 'tcp', ['tcp.len', 'tcp.checksum.status', 'tcp.analysis.flags']);
    expect(segments.map(([, checksum, flags]) => [checksum, flags])).toEqual(segments.map(() => ['1', '']));
    expect(segments.reduce((sum, [length]) => sum + Number(length), 0)).toBe(
      messages.slice(2).reduce((sum, { message }) => sum + message.length, 0),
    );
  });

  test('a journal that was continued: two sections', () => {
    const journal = Buffer.concat([writeSample(1).octets, writeSample(500).octets]);
    const rows = dissect(journal, 'frame', ['frame.interface_name', 'rtp.seq', 'sip.Method', 'sip.Status-Code'], RTP);
    expect(rows.map((row) => row.join(' ').trim())).toEqual(
      [1, 500].flatMap((first) => [
        'sip  INVITE',
        `s0 ${first}`,
        `s0 ${first + 1}`,
        `s1 ${first}`,
        'sip   200',
        `s0 ${first + 2}`,
      ]),
    );
  });
});
