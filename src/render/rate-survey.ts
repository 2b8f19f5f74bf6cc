// Before pass 1, for mod_oreka only: reads the journal once to learn which rates the payloads really have.
import type { RenderJob } from '../recording/engines.ts';
import { JournalWalk } from './journal-walk.ts';
import { PayloadTypes } from './payload-types.ts';
import { RateFinder, type RatePart } from './rate-finder.ts';

/** What was found of one stream. */
export interface PayloadRates {
  /** In their order; empty when every payload is as labelled. */
  parts: RatePart[];
  /** What the SDP says of the stream's G.711. */
  label: string;
}

/**
 * By stream; only those placed by arrival are looked at, and without one the journal is not read.
 * Throws RenderAborted, or what opening and reading the journal throws.
 */
export function surveyRates(job: RenderJob, isAborted: () => boolean): PayloadRates[] {
  const surveys = job.streams.map((stream) => ({
    payloads: new PayloadTypes(stream, job.streams),
    finder: stream.placement === 'arrival' ? new RateFinder() : null,
    label: '',
  }));
  if (surveys.some(({ finder }) => finder !== null)) {
    const streamIds = job.streams.map((stream) => stream.streamId);
    using walk = new JournalWalk(job.journalPath, streamIds, isAborted);
    while (walk.next()) {
      const survey = surveys[walk.stream]!;
      if (survey.finder === null) continue;
      const { ssrc, sequenceNumber, payloadType, payloadStart, payloadEnd } = walk.header;
      const table = survey.payloads.g711Table(payloadType);
      if (table === null || payloadEnd === payloadStart) continue;
      if (survey.label === '') survey.label = survey.payloads.labelOf(payloadType);
      survey.finder.observe(ssrc, sequenceNumber, walk.arrivalMs, table, walk.buffer, payloadStart, payloadEnd);
    }
  }
  return surveys.map(({ finder, label }) => ({ parts: finder?.finish() ?? [], label }));
}
