// A journal of ours out of a foreign capture: the media of one call, stream by stream, and its SIP.
import { closeSync, openSync, writeSync } from 'node:fs';
import { openCapture } from '../journal/open-capture.ts';
import { datagramFlow, JournalWriter } from '../journal/writer.ts';
import { type CapturedSip, flowKey } from './captured.ts';

export interface MediaChoice {
  /** By where packets were sent to (`host port`), or by the interface's name in a journal of ours. */
  streamOf: ReadonlyMap<string, string>;
  fromMs: number;
  toMs: number;
}

const WRITE_OCTETS = 1 << 20;

/** Writes `to`. Throws what reading and writing throw. */
export function rewriteJournal(from: string, to: string, choice: MediaChoice, messages: readonly CapturedSip[]): void {
  using reader = openCapture(from);
  const fd = openSync(to, 'w', 0o640);
  try {
    const writer = new JournalWriter(WRITE_OCTETS);
    const interfaces = new Map<string, number>();
    const flush = () => {
      const { buffer, octets } = writer.take(Buffer.alloc(0));
      writeSync(fd, buffer, 0, octets);
    };
    writer.beginSection();
    for (const { timeMs, transport, source, destination, text } of messages) {
      const message = Buffer.from(text, 'utf8');
      writer.writeSip({ timeMs, direction: 'received', transport, local: destination, remote: source, message });
    }
    while (reader.next()) {
      const streamId = reader.protocol === 'udp' ? streamOf(choice.streamOf, flowKey(reader)) : undefined;
      if (streamId === undefined || reader.timeMs < choice.fromMs || reader.timeMs > choice.toMs) continue;
      const id = interfaces.get(streamId) ?? writer.addInterface(streamId, '');
      interfaces.set(streamId, id);
      const flow = datagramFlow(
        { host: reader.sourceHost(), port: reader.sourcePort },
        { host: reader.destinationHost(), port: reader.destinationPort },
      );
      writer.writeDatagram(id, reader.timeMs, flow, reader.buffer, reader.payloadStart, reader.payloadEnd);
      if (writer.octets >= WRITE_OCTETS / 2) flush();
    }
    flush();
  } finally {
    closeSync(fd);
  }
}

/** RTCP goes to the port above its stream's. */
function streamOf(streams: ReadonlyMap<string, string>, key: string): string | undefined {
  const [host, port] = key.split(' ');
  return streams.get(key) ?? (port === undefined ? undefined : streams.get(`${host} ${Number(port) - 1}`));
}
