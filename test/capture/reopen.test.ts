// A recording of an earlier process goes on: the same ports, the same file, whatever that process left at its end.
import { appendFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { RestoredStream } from '../../src/recording/engines.ts';
import { readJournal } from '../journal/read-journal.ts';
import { PCMU } from '../support/synthetic-journal.ts';
import {
  freeEvenPort,
  newSender,
  noteEvents,
  someRange,
  startCapture,
  streamSpec,
  until,
} from './capture-under-test.ts';
import { rtp } from './packets.ts';

const restored = (streamId: string, rtpPort: number): RestoredStream => ({
  streamId,
  label: null,
  formats: [PCMU],
  receiving: true,
  address: { rtpPort, rtcpPort: rtpPort + 1 },
  announced: null,
});

const payloads = (path: string) =>
  readJournal(path).packets.map(({ interfaceName, payload }) => `${interfaceName} ${payload.charCodeAt(3)}`);

async function earlierProcess(portRange = someRange()) {
  const { capture, journalPath } = await startCapture({ portRange });
  const path = journalPath('r1');
  const session = await capture.open('r1', path, noteEvents());
  const [a, b] = [await session.addStream(streamSpec('s0')), await session.addStream(streamSpec('s1'))];
  const sender = await newSender();
  await sender.send(rtp({ seq: 1 }), a.rtpPort);
  await sender.send(rtp({ seq: 2 }), b.rtpPort);
  await until('on disk', () => readJournal(path).packets.length === 2);
  await capture.close();
  return { path, portRange, ports: [a.rtpPort, b.rtpPort] as const };
}

describe('reopen', () => {
  test('same ports, same interfaces, behind the last whole block; another sender may go on', async () => {
    const { path, portRange, ports } = await earlierProcess();
    const wholeOctets = statSync(path).size;
    appendFileSync(path, Buffer.concat([Buffer.from([6, 0, 0, 0, 200, 0, 0, 0]), Buffer.alloc(50, 7)]));
    const { capture } = await startCapture({ portRange });
    const session = await capture.reopen('r1', path, noteEvents(), [
      restored('s0', ports[0]),
      restored('s1', ports[1]),
    ]);
    expect(readJournal(path).packets).toHaveLength(2);
    const sender = await newSender();
    await sender.send(rtp({ seq: 3 }), ports[0]);
    await sender.send(rtp({ seq: 4 }), ports[1]);
    await until('on disk', () => readJournal(path).packets.length === 4);
    expect(await session.seal()).toMatchObject({ s0: { packets: 1 }, s1: { packets: 1 } });
    expect(payloads(path)).toEqual(['s0 1', 's1 2', 's0 3', 's1 4']);
    const { interfaces, truncated } = readJournal(path);
    expect(interfaces.map(({ name }) => name)).toEqual(['s0', 's1', 's0', 's1']);
    expect(truncated).toBe(false);
    expect(statSync(path).size).toBeGreaterThan(wholeOctets);
  });

  test('the ports are reserved at once: new calls get others', async () => {
    const first = 2 * Math.floor(someRange(2).first / 2);
    const { path, portRange, ports } = await earlierProcess({ first, last: first + 5 });
    const { capture, journalPath } = await startCapture({ portRange });
    const reopening = capture.reopen(
      'r1',
      path,
      noteEvents(),
      ports.map((port, i) => restored(`s${i}`, port)),
    );
    const other = await capture.open('r2', journalPath('r2'), noteEvents());
    const { rtpPort } = await other.addStream(streamSpec('s0'));
    expect(ports).not.toContain(rtpPort);
    await expect(other.addStream(streamSpec('s1'))).rejects.toMatchObject({ code: 'NO_PORTS' });
    const session = await reopening;
    session.removeStream('s1');
    await session.seal();
    expect(capture.health().ports.used).toBeLessThanOrEqual(3);
  });

  test('a port that another program has taken is asked for until it is free; the other stream goes on', async () => {
    const { path, portRange, ports } = await earlierProcess();
    const thief = await newSender('127.0.0.1', ports[0]);
    const { capture } = await startCapture({ portRange });
    const session = await capture.reopen(
      'r1',
      path,
      noteEvents(),
      ports.map((port, i) => restored(`s${i}`, port)),
    );
    const sender = await newSender();
    await sender.send(rtp({ seq: 5 }), ports[1]);
    await until('the other stream', () => payloads(path).includes('s1 5'));
    await thief.close();
    await until('the port', async () => {
      await sender.send(rtp({ seq: 6 }), ports[0]);
      return payloads(path).includes('s0 6');
    });
    await session.seal();
  });

  test('a port outside of the range, which was changed meanwhile, is taken all the same', async () => {
    const { path } = await earlierProcess();
    const outside = await freeEvenPort();
    const { capture } = await startCapture();
    const session = await capture.reopen('r1', path, noteEvents(), [restored('s0', outside)]);
    const sender = await newSender();
    await sender.send(rtp({ seq: 7 }), outside);
    await until('on disk', () => payloads(path).includes('s0 7'));
    await session.seal();
  });

  test("a port that was the client's choice is announced again", async () => {
    const port = await freeEvenPort();
    const { path } = await earlierProcess();
    const { capture } = await startCapture();
    const announced = { host: '127.0.0.1', port, sourceHost: '127.0.0.1' };
    const stream = { ...restored('s0', port), announced };
    const session = await capture.reopen('r1', path, noteEvents(), [stream]);
    const sender = await newSender();
    await sender.send(rtp({ seq: 8 }), port);
    await until('on disk', () => payloads(path).includes('s0 8'));
    await session.seal();
  });

  test('a directory that is gone is STORAGE_FAILED, and the ports are free again', async () => {
    const { capture, portRange } = await startCapture();
    const stream = restored('s0', portRange.first + (portRange.first % 2));
    await expect(capture.reopen('r1', '/nonexistent/c', noteEvents(), [stream])).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    expect(capture.health().ports.used).toBe(0);
  });
});
