// What there is to tell, and in which words. The body is a Standard Webhooks payload: type, timestamp, data.
import { randomUUID } from 'node:crypto';
import type { CallDescription } from '../recording/call.ts';
import type { RecordingDocument } from '../recording/document.ts';
import type { Annotations } from '../recording/library.ts';

export const EVENT_TYPES = [
  'recording.started',
  'recording.updated',
  'recording.finished',
  'recording.failed',
  'recording.deleted',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

export interface DeliveryEvent {
  /** The idempotency key that receivers see; the same whenever the event is sent again. */
  eventId: string;
  type: EventType;
  recordingId: string;
  /** Wall clock, Unix ms. */
  atMs: number;
  /** An event with a key is told once, however often it is put in; null: each is a new one. */
  key: string | null;
  /** JSON; without links, which are made when it is sent. */
  data: object;
}

/** A recording that runs. */
export interface RunningRecording {
  recordingId: string;
  source: string;
  startMs: number;
  call: CallDescription;
}

function event(type: EventType, recordingId: string, atMs: number, key: string | null, data: object): DeliveryEvent {
  return { eventId: randomUUID(), type, recordingId, atMs, key, data };
}

export function startedEvent(running: RunningRecording, atMs: number): DeliveryEvent {
  // A restarted process says again that a call goes on.
  const key = `started:${running.recordingId}`;
  return event('recording.started', running.recordingId, atMs, key, liveData(running));
}

/** The parties of a running recording have become known, or have changed. */
export function callUpdatedEvent(running: RunningRecording, atMs: number): DeliveryEvent {
  return event('recording.updated', running.recordingId, atMs, null, liveData(running));
}

/** `recording.json` is complete: finished, or failed where no audio could be made. */
export function filedEvent(document: RecordingDocument, atMs: number): DeliveryEvent & { key: string } {
  const type = document.state === 'failed' ? 'recording.failed' : 'recording.finished';
  const key = `filed:${document.id}`;
  return { ...event(type, document.id, atMs, key, { recording: document }), key };
}

/** Tags, notes or the legal hold of a finished recording have changed. */
export function annotatedEvent(document: RecordingDocument, annotations: Annotations, atMs: number): DeliveryEvent {
  return event('recording.updated', document.id, atMs, null, { recording: document, annotations });
}

export function deletedEvent(recordingId: string, atMs: number): DeliveryEvent {
  return event('recording.deleted', recordingId, atMs, `deleted:${recordingId}`, { recording: { id: recordingId } });
}

function liveData({ recordingId, source, startMs, call }: RunningRecording): object {
  return { recording: { id: recordingId, source, state: 'recording', start: new Date(startMs).toISOString(), call } };
}
