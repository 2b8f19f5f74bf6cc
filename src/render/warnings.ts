// What a render could not do, in sentences.
import type { RenderJob, RenderResult } from '../recording/engines.ts';
import type { Analysis, StreamAnalysis } from './analyse.ts';

type Warning = RenderResult['warnings'][number];

export function renderWarnings(job: RenderJob, analysis: Analysis): Warning[] {
  const warnings: Warning[] = [];
  if (analysis.truncated) {
    warnings.push({
      code: 'journal-truncated',
      message: `The journal has ${analysis.skippedOctets} octets that are no whole block; what could be read is rendered.`,
    });
  }
  if (analysis.clockSteps > 0) {
    warnings.push({
      code: 'clock-step',
      message: `The clock stepped ${analysis.clockSteps} times during the recording; the time between is not in the audio.`,
    });
  }
  analysis.streams.forEach((stream, i) => {
    warnings.push(...streamWarnings(stream, nameOf(job, i)));
  });
  return warnings;
}

function streamWarnings(stream: StreamAnalysis, name: string): Warning[] {
  const warnings: Warning[] = [];
  for (const { codec, packets } of undecodableCodecs(stream)) {
    warnings.push({
      code: 'codec-not-decodable',
      message: `${name}: ${packets} packets of ${codec} cannot be decoded; they are kept in the journal and are silence in the audio.`,
    });
  }
  if (stream.chainedFrom !== null) {
    warnings.push({
      code: 'timestamps-unusable',
      message: `${name}: the RTP timestamps make no sense from audio packet ${stream.chainedFrom} on; placed by arrival.`,
    });
  }
  if (stream.keyPresses.ignored > 0) {
    warnings.push({
      code: 'too-many-events',
      message: `${name}: ${stream.keyPresses.ignored} further key presses were left out.`,
    });
  }
  return warnings;
}

function undecodableCodecs(stream: StreamAnalysis): { codec: string; packets: number }[] {
  const codecs = new Map<string, number>();
  for (const [payloadType, packets] of Object.entries(stream.figures.payloadTypes)) {
    const meaning = stream.payloads.of(Number(payloadType));
    const rateRefused = meaning.kind === 'audio' && !stream.sampleRates.includes(meaning.decoder.sampleRateHz);
    if (meaning.kind === 'undecodable' || rateRefused) {
      codecs.set(meaning.name, (codecs.get(meaning.name) ?? 0) + packets);
    }
  }
  return [...codecs].map(([codec, packets]) => ({ codec, packets }));
}

function nameOf(job: RenderJob, index: number): string {
  const { streamId, label } = job.streams[index]!;
  return label === null ? `Stream ${streamId}` : `Stream ${streamId} (label ${label})`;
}
