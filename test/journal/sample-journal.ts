// A small journal with everything that the writer writes, and what has to be read from it.
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import { writeRtpHeader } from '../../src/rtp/packet.ts';
import { type ReadPacket, takeAll } from './read-journal.ts';

export const SAMPLE_START_MS = Date.UTC(2026, 0, 1, 12);

const OURS = { v4: '192.0.2.9', v6: '2001:db8::9' };

export function rtp(sequenceNumber: number, payload: string): Buffer {
  const octets = Buffer.alloc(12 + payload.length);
  writeRtpHeader(octets, 0, { marker: false, payloadType: 0, sequenceNumber, rtpTime: sequenceNumber * 160, ssrc: 7 });
  octets.write(payload, 12, 'latin1');
  return octets;
}

/** One section; `first` numbers its RTP packets. Payloads have all lengths modulo four. */
export function writeSample(first: number): { octets: Buffer; packets: ReadPacket[] } {
  const writer = new JournalWriter();
  const packets: ReadPacket[] = [];
  writer.beginSection();
  const interfaces = { s0: writer.addInterface('s0', 'label 1'), s1: -1 };

  function media(name: 's0' | 's1', host: string, ourHost: string, port: number, octets: Buffer): void {
    const timeMs = SAMPLE_START_MS + first + packets.length * 20.25;
    const flow = datagramFlow({ host, port }, { host: ourHost, port: port + 10_000 });
    writer.writeDatagram(interfaces[name], timeMs, flow, octets, 0, octets.length);
    const at = (each: string, of: number) => (each.includes(':') ? `[${each}]:${of}` : `${each}:${of}`);
    packets.push({
      interfaceName: name,
      timeMs,
      protocol: 'udp',
      source: at(host, port),
      destination: at(ourHost, port + 10_000),
      payload: octets.toString('latin1'),
    });
  }

  function sip(transport: 'udp' | 'tcp', direction: 'received' | 'sent', text: string): void {
    const timeMs = SAMPLE_START_MS + first + packets.length * 20.25;
    const [local, remote] = [
      { host: OURS.v4, port: 5060 },
      { host: '198.51.100.1', port: 5070 },
    ];
    writer.writeSip({ timeMs, direction, transport, local, remote, message: Buffer.from(text) });
    const ends = [`${remote.host}:${remote.port}`, `${local.host}:${local.port}`] as const;
    const [source, destination] = direction === 'received' ? ends : ends.toReversed();
    packets.push({
      interfaceName: 'sip',
      timeMs,
      protocol: transport,
      source: source!,
      destination: destination!,
      payload: text,
    });
  }

  sip('udp', 'received', 'INVITE sip:rec@192.0.2.9 SIP/2.0\r\n\r\n');
  media('s0', '192.0.2.1', OURS.v4, 30_000, rtp(first, ''));
  media('s0', '192.0.2.1', OURS.v4, 30_000, rtp(first + 1, 'x'));
  interfaces.s1 = writer.addInterface('s1', 'label 2');
  media('s1', '2001:db8::2', OURS.v6, 30_002, rtp(first, 'xy'));
  sip('tcp', 'sent', 'SIP/2.0 200 OK\r\n\r\n');
  media('s0', '192.0.2.1', OURS.v4, 30_000, rtp(first + 2, 'xyz'));
  return { octets: takeAll(writer), packets };
}
