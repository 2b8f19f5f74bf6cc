// Renders packets in a temporary directory and reads the WAV back.
import { statSync } from 'node:fs';
import type { RenderEvent, RenderJob, RenderResult, RenderStream } from '../../src/recording/engines.ts';
import { type RenderOptions, renderJob } from '../../src/render/job.ts';
import { type Heard, readWav } from '../support/listen.ts';
import { jobIn, type SyntheticPacket, writeJournal } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export interface Rendered {
  job: RenderJob;
  result: RenderResult;
  wav: Heard;
  left: Int16Array;
  right: Int16Array;
  rateHz: number;
}

export type StreamPlan = Partial<RenderStream> & { streamId: string };

export const TWO: StreamPlan[] = [{ streamId: 's0' }, { streamId: 's1' }];

/** Fails the test when there is no audio or its description does not fit the file. */
export async function render(
  packets: SyntheticPacket[],
  streams: StreamPlan[] = TWO,
  more: Partial<RenderJob> = {},
  options: RenderOptions = {},
): Promise<Rendered> {
  const directory = await temporaryDirectory();
  const job = jobIn(directory, streams, more);
  writeJournal(job.journalPath, packets);
  const result = renderJob(job, options);
  if (result.audio === null) throw new Error('no audio was rendered');
  const wav = readWav(job.audioPath);
  if (statSync(job.audioPath).size !== result.audio.octets)
    throw new Error('the file is not as large as the result says');
  if (wav.durationMs !== result.audio.durationMs) throw new Error('the file is not as long as the result says');
  const [left, right] = wav.channels;
  return { job, result, wav, left: left!, right: right ?? left!, rateHz: wav.sampleRateHz };
}

export function eventsOf<Type extends RenderEvent['type']>(
  result: RenderResult,
  type: Type,
): Extract<RenderEvent, { type: Type }>[] {
  return result.events.filter((event): event is Extract<RenderEvent, { type: Type }> => event.type === type);
}

/** Where a channel steps by more than a tone of that frequency and amplitude can within one sample: clicks. */
export function clicks(samples: Int16Array, sampleRateHz: number, hz: number, amplitude: number): number[] {
  const largest = 32767 * amplitude * 2 * Math.sin((Math.PI * hz) / sampleRateHz) * 1.1 + 700;
  const found: number[] = [];
  for (let i = 1; i < samples.length; i++) {
    if (Math.abs(samples[i]! - samples[i - 1]!) > largest) found.push((i * 1000) / sampleRateHz);
  }
  return found;
}
