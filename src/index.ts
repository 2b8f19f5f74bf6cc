// The package as a library: start the recorder in your own program, and read what it wrote.
export { type App, type AppOptions, startApp } from './app.ts';
export { type ListedRecording, listRecordings } from './archive/list.ts';
export { type ConfigSources, loadConfig } from './config/load.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { type ErrorCode, isRecorderError, RecorderError } from './lib/errors.ts';
export { type Log, silentLog } from './lib/log.ts';
export {
  RECORDING_DOCUMENT_VERSION,
  type RecordedFile,
  type RecordedParticipant,
  type RecordedStream,
  type RecordingDocument,
  recordingDocument,
  recordingDocumentSchema,
  type TimelineEvent,
} from './recording/document.ts';
