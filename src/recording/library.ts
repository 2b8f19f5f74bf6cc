// Finished recordings, found again: what doors and commands ask for. An index implements it, or a walk over the directories.
import type { Readable } from 'node:stream';
import { type AudioFormat, audioFormatOf } from './audio-format.ts';
import type { RecordedFile, RecordingDocument } from './document.ts';
import type { RecordingScope } from './scope.ts';

/** What people add to a recording later. `recording.json` stays as it was written. */
export interface Annotations {
  /** Sorted, without repetition. */
  tags: string[];
  /** Oldest first. */
  notes: RecordingNote[];
  /** A legal hold: the recording cannot be deleted, by nobody and no retention rule. */
  hold: RecordingHold | null;
}

export interface RecordingNote {
  noteId: string;
  text: string;
  /** Who wrote it, as in `ControlOrder.by`. */
  by: string;
  /** Wall clock, Unix ms. */
  atMs: number;
}

export interface RecordingHold {
  reason: string | null;
  by: string;
  /** Wall clock, Unix ms. */
  sinceMs: number;
}

export interface LibraryRecording {
  document: RecordingDocument;
  annotations: Annotations;
  /** Where its files are on this machine; null if they are elsewhere. */
  directory: string | null;
}

/** What is compared with questions and shown in lists: without what may be large. */
export type HitDocument = Omit<RecordingDocument, 'timeline' | 'metadata'>;

export interface SearchHit extends Omit<LibraryRecording, 'document'> {
  document: HitDocument;
}

/** All conditions have to hold; texts are compared without regard to case and accents. Absent ones do not matter. */
export interface RecordingQuery {
  /** Each word stands somewhere in the parties' names and addresses, the group, the notes or the tags, or is a whole identifier. */
  text?: string;
  /** A party's whole number, however written (national, international, with blanks), user part or address. */
  number?: string;
  /** Part of a party's address or name. */
  party?: string;
  /** Started at or after this moment, Unix ms. */
  fromMs?: number;
  /** Started before this moment, Unix ms. */
  toMs?: number;
  minDurationMs?: number;
  maxDurationMs?: number;
  state?: RecordingDocument['state'];
  source?: RecordingDocument['source'];
  /** The whole SIP Call-ID, communication session id, or a sipSessionID. */
  callId?: string;
  /** The whole group id. */
  group?: string;
  tag?: string;
  /** A header field of that name and value. */
  header?: { name: string; value: string };
  /** Lost packets of any stream, per cent of those expected. */
  minLossPercent?: number;
  /** Whether there is a stream from which nothing was received while another one was heard. */
  silentSide?: boolean;
  held?: boolean;
  /** What the asker may see; applied before paging. */
  scope?: RecordingScope;
}

export interface PageRequest {
  /** 1 to MAX_PAGE. */
  limit: number;
  /** `next` of the page before; null for the first. */
  after: string | null;
}

export const MAX_PAGE = 200;

export interface RecordingPage {
  /** By start, newest first; recordings with the same start in an order that stays. */
  items: SearchHit[];
  /** An opaque cursor that stays valid while recordings come and go; null on the last page. */
  next: string | null;
}

export interface LibraryStatistics {
  recordings: number;
  durationMs: number;
  /** Of all files together. */
  octets: number;
  byState: Record<RecordingDocument['state'], number>;
  bySource: Record<RecordingDocument['source'], number>;
}

/** The audio in whatever format comes first (the WAV, where it is), the journal, or the audio in that format. */
export type WantedFile = RecordedFile['role'] | AudioFormat;

/** A file that is open: it can be read to the end even if its recording is deleted meanwhile. Close it in any case. */
export interface OpenRecordingFile {
  file: RecordedFile;
  /** Octets `first` to `last`, inclusive, 0 ≤ first ≤ last < file.octets. */
  read(first: number, last: number): Readable;
  close(): Promise<void>;
}

export interface RecordingLibrary {
  /** Rejects with INVALID_CURSOR. */
  search(query: RecordingQuery, page: PageRequest): Promise<RecordingPage>;
  /** Any text may be asked for; what is no id of a recording gives null. Rejects with STORAGE_FAILED if its recording.json cannot be read. */
  get(recordingId: string): Promise<LibraryRecording | null>;
  /** Null if there is no such recording, or it has no such file. Rejects with STORAGE_FAILED if the file is not what `recording.json` says. */
  openFile(recordingId: string, wanted: WantedFile): Promise<OpenRecordingFile | null>;
  statistics(query: RecordingQuery): Promise<LibraryStatistics>;

  /** Replaces the tags. This and the following reject with NOT_FOUND. Changes of one recording are made one after the other. */
  setTags(recordingId: string, tags: string[]): Promise<Annotations>;
  addNote(recordingId: string, note: { text: string; by: string }): Promise<Annotations>;
  removeNote(recordingId: string, noteId: string): Promise<Annotations>;
  /** Null takes the hold away. */
  setHold(recordingId: string, hold: { reason: string | null; by: string } | null): Promise<Annotations>;
  /** Removes all files and every trace in the index. Rejects with ON_HOLD; of two at once, one rejects with NOT_FOUND. */
  delete(recordingId: string): Promise<void>;
}

export function findFile({ files }: Pick<RecordingDocument, 'files'>, wanted: WantedFile): RecordedFile | undefined {
  if (wanted === 'audio' || wanted === 'journal') return files.find(({ role }) => role === wanted);
  return files.find(({ role, name }) => role === 'audio' && audioFormatOf(name) === wanted);
}
