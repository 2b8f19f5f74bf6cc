// What a render could not do, in sentences.
import type { RenderJob, RenderResult } from '../recording/engines.ts';
import type { Analysis, StreamAnalysis } from './analyse.ts';
import { USUAL_RATE_HZ } from './rate-block.ts';
import type { RatePart } from './rate-finder.ts';

/** Of one stream; the rest is counted. */
const MAX_RATE_WARNINGS = 20;

type Warning = RenderResult['warnings'][number];

/** @param audioStartMs time of the first sample, on the line of the arrival times */
export function renderWarnings(job: RenderJob, analysis: Analysis, audioStartMs: number): Warning[] {
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
    const name = nameOf(job, i);
    warnings.push(...streamWarnings(stream, name), ...rateWarnings(stream, name, audioStartMs));
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
  const { undecrypted = 0 } = stream.figures;
  if (undecrypted > 0) {
    warnings.push({
      code: 'srtp-not-decrypted',
      message: `${name}: ${undecrypted} packets could not be decrypted: wrong key? They are kept encrypted in the journal, on an interface of their own, and are silence in the audio.`,
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

/** Payloads that are not what their label says. */
function rateWarnings({ rates }: StreamAnalysis, name: string, audioStartMs: number): Warning[] {
  const wrong = rates.parts.filter((part) => part.rateHz !== USUAL_RATE_HZ && !isAsLabelled(part, rates.label));
  const warnings = wrong.slice(0, MAX_RATE_WARNINGS).map((part) => {
    const [from, to] = [part.startMs, part.endMs].map((ms) => (Math.max(0, ms - audioStartMs) / 1000).toFixed(3));
    return {
      code: 'payload-rate',
      message: `${name}: from ${from} s to ${to} s of the audio, labelled ${rates.label}: ${findingOf(part)}`,
    };
  });
  if (wrong.length > MAX_RATE_WARNINGS) {
    const more = wrong.length - MAX_RATE_WARNINGS;
    warnings.push({ code: 'payload-rate', message: `${name}: ${more} further changes of the payload's rate.` });
  }
  return warnings;
}

function isAsLabelled({ rateHz, layout }: RatePart, label: string): boolean {
  return layout !== 'stereo' && label.endsWith(`/${rateHz}`);
}

function findingOf({ rateHz, layout }: RatePart): string {
  if (rateHz === null) {
    return `the rate of the payload cannot be told from its arrival; rendered at ${USUAL_RATE_HZ} Hz.`;
  }
  const octets = `the payload has ${rateHz} octets per second`;
  if (layout === 'stereo') {
    return `${octets}: two interleaved channels at ${rateHz / 2} Hz; rendered so, mixed to one.`;
  }
  const doubt = layout === 'unknown' ? ' Whether they are two interleaved channels cannot be told.' : '';
  return `${octets}: one channel at ${rateHz} Hz; rendered so.${doubt}`;
}

function undecodableCodecs(stream: StreamAnalysis): { codec: string; packets: number }[] {
  const codecs = new Map<string, number>();
  for (const [payloadType, packets] of Object.entries(stream.figures.payloadTypes)) {
    for (const meaning of stream.payloads.allOf(Number(payloadType))) {
      const rateRefused =
        stream.rates.parts.length === 0 &&
        meaning.kind === 'audio' &&
        !stream.sampleRates.includes(meaning.decoder.sampleRateHz);
      if (meaning.kind !== 'undecodable' && !rateRefused) continue;
      // The packets of a number that changed its meaning are counted together.
      const most = Math.min(packets, stream.figures.undecodable);
      codecs.set(meaning.name, (codecs.get(meaning.name) ?? 0) + most);
    }
  }
  return [...codecs].map(([codec, packets]) => ({ codec, packets }));
}

function nameOf(job: RenderJob, index: number): string {
  const { streamId, label } = job.streams[index]!;
  return label === null ? `Stream ${streamId}` : `Stream ${streamId} (label ${label})`;
}
