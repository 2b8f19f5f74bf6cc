// npm run bench: speed as ratios and rates, measured in one run on this machine. Nothing here is asserted by the tests.
import { availableParallelism, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { benchCapacity } from './capacity/capacity.ts';
import { benchSoak } from './capacity/soak.ts';
import { benchCapture } from './capture.ts';
import { benchIndex } from './index-search.ts';
import { benchListeners } from './listeners/listeners.ts';
import { benchRender } from './render.ts';
import { benchSignalling } from './signalling.ts';
import { benchSrtpStream } from './srtp-stream.ts';
import { benchSync } from './sync.ts';

const BENCHES: Record<string, () => Promise<string[]>> = {
  async capture() {
    const { streams, dgram, capture, linux, ratio } = await benchCapture();
    const row = (name: string, { cpuPerPacketUs, packets, lost }: typeof dgram) =>
      `  ${name.padEnd(34)} ${cpuPerPacketUs.toFixed(2)} µs per packet (${packets} packets, ${lost} lost)`;
    return [
      `CPU per received packet, ${streams} streams of G.711:`,
      row('bare node:dgram receiver', dgram),
      row('capture: statistics and journal too', capture),
      `  ratio ${ratio.toFixed(2)} (aim: at most 1.30)`,
      ...(linux
        ? [
            row('the same, rtp.receiver linux', linux),
            `  ratio ${(linux.cpuPerPacketUs / dgram.cpuPerPacketUs).toFixed(2)}`,
          ]
        : ['  rtp.receiver linux cannot be used here']),
    ];
  },
  async srtp() {
    const { plainUs, suites } = benchSrtpStream();
    return [
      `From datagram to journal, G.711 of 20 ms, without the socket: plain ${plainUs.toFixed(2)} µs per packet`,
      ...suites.map(
        ({ suite, us, ratio }) => `  ${suite.padEnd(24)} ${us.toFixed(2)} µs per packet, ratio ${ratio.toFixed(1)}`,
      ),
    ];
  },
  async render() {
    const { callSecondsPerSecond, rssGrowthOctets } = await benchRender();
    return [
      'Rendering stereo G.711, one thread:',
      `  ${callSecondsPerSecond} s of call per second (aim: above 2000), memory grows by ${(rssGrowthOctets / 2 ** 20).toFixed(1)} MiB over three half-hour calls`,
    ];
  },
  async sync() {
    const costs = await benchSync();
    const least = costs[0]!.cpuPerCallSecondUs;
    return [
      'Journals of 200 calls under each storage.sync, CPU per second of call:',
      ...costs.map(
        ({ policy, cpuPerCallSecondUs, closingMs }) =>
          `  ${policy.padEnd(18)} ${cpuPerCallSecondUs.toFixed(0)} µs, ratio ${(cpuPerCallSecondUs / least).toFixed(2)}; all closed ${closingMs.toFixed(0)} ms after their end`,
      ),
    ];
  },
  async signalling() {
    const lines = ['Calls of one second against a recorder in its own process, everything on one machine:'];
    for (const callsPerSecond of [50, 100, 200]) {
      const { calls, failed, answerP50Ms, answerP99Ms, filed, packetsSent, packetsRecorded } = await benchSignalling(
        callsPerSecond,
        10,
      );
      lines.push(
        `  ${String(callsPerSecond).padStart(3)} calls/s: INVITE to 200 beyond the configured delay p50 ${answerP50Ms.toFixed(1)} ms, ` +
          `p99 ${answerP99Ms.toFixed(1)} ms; ${failed} of ${calls} failed, ${filed} filed, ${packetsSent - packetsRecorded} of ${packetsSent} packets lost`,
      );
    }
    return lines;
  },
};

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    /** capacity: fewer and lower levels. listeners: for a shorter time. */
    quick: { type: 'boolean', default: false },
    /** soak. */
    minutes: { type: 'string', default: '30' },
    /** soak: 1000, listeners: 100. */
    calls: { type: 'string' },
    /** index: recordings, and where the databases go (ten million take some 70 GB and hours). */
    rows: { type: 'string', default: '100000' },
    directory: { type: 'string', default: tmpdir() },
    /** index: the databases stay in that directory, and those that are there are asked again. */
    keep: { type: 'boolean', default: false },
  },
});
/** Only when they are named: they take minutes. */
const LONG_BENCHES: Record<string, () => AsyncIterable<string>> = {
  capacity: () => benchCapacity(options.quick),
  index: () => benchIndex(Number(options.rows), options.directory, options.keep),
  soak: () => benchSoak(Number(options.minutes), Number(options.calls ?? 1000)),
  listeners: () => benchListeners(Number(options.calls ?? 100), options.quick),
};
const known = [...Object.keys(BENCHES), ...Object.keys(LONG_BENCHES)];
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(64);
}
console.log(`Node ${process.version}, ${availableParallelism()} cores`);
for (const [name, run] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const line of await run()) console.log(line);
}
for (const [name, run] of Object.entries(LONG_BENCHES)) {
  if (wanted.includes(name)) for await (const line of run()) console.log(line);
}
