// A metadata document to the model of RFC 7865: the final form (§9), the drafts' form with nested participants
// and `id` attributes, and mixtures. Names count without prefix, case, `-` and `_`; values may be attributes or elements.
import type { Warning } from '../../recording/call.ts';
import {
  type ExtensionElement,
  emptyMetadata,
  type MetadataTime,
  type Participant,
  type RecordingMetadata,
} from './model.ts';
import { foldName } from './repair.ts';
import { parseMetadataTime } from './time.ts';
import { readXml, type XmlElement } from './xml.ts';

const MAX_OBJECTS = 2000;
const MAX_REFERENCES = 256;
const MAX_METADATA_CHARACTERS = 1024 * 1024;

const CONTAINERS = new Set(['recording', 'recordingmetadata', 'recordingsession']);

interface Reading {
  metadata: RecordingMetadata;
  warnings: Warning[];
  objects: number;
}

/** Reads what can be read and says in warnings what could not. Never throws. */
export function readMetadata(text: string): { metadata: RecordingMetadata; warnings: Warning[] } {
  const reading: Reading = { metadata: emptyMetadata(), warnings: [], objects: 0 };
  if (text.length > MAX_METADATA_CHARACTERS) {
    warn(reading, 'metadata-too-large', 'The metadata is larger than 1 MiB; the rest was left unread.');
  }
  const roots = readXml(text.slice(0, MAX_METADATA_CHARACTERS), reading.warnings);
  for (const root of roots) readObjects(reading, [root], null);
  if (reading.objects === 0) warn(reading, 'metadata-empty', 'The metadata names neither sessions nor participants.');
  if (reading.objects > MAX_OBJECTS) {
    warn(
      reading,
      'metadata-too-many-objects',
      `The metadata has more than ${MAX_OBJECTS} objects; the rest was left unread.`,
    );
  }
  return { metadata: reading.metadata, warnings: dedupe(reading.warnings) };
}

/** `sessionId` is the session whose element is around these, in documents that nest. */
function readObjects(reading: Reading, elements: XmlElement[], sessionId: string | null): void {
  for (const element of elements) {
    const read = READERS.get(foldName(element.name));
    if (CONTAINERS.has(foldName(element.name))) readContainer(reading, element, sessionId);
    else if (!read) reading.metadata.extensions.push(...readExtension(element));
    else if (reading.objects++ < MAX_OBJECTS) read(reading, element, sessionId);
  }
}

type Reader = (reading: Reading, element: XmlElement, sessionId: string | null) => void;

const READERS = new Map<string, Reader>([
  ['datamode', readDataMode],
  ['group', readGroup],
  ['session', readSession],
  ['communicationsession', readSession],
  ['participant', readParticipant],
  ['stream', readStream],
  ['mediastream', readStream],
  ['sessionrecordingassoc', readSessionRecording],
  ['participantsessionassoc', readParticipantSession],
  ['participantstreamassoc', readParticipantStream],
]);

const INTERVAL = ['associatetime', 'disassociatetime'];

function readDataMode(reading: Reading, element: XmlElement): void {
  // Not an object: a document with nothing else is empty.
  reading.objects--;
  if (/^\s*partial\s*$/i.test(element.text)) reading.metadata.dataMode = 'partial';
}

/** A recording-session element with an id and no session of its own stands for the communication session. */
function readContainer(reading: Reading, element: XmlElement, outer: string | null): void {
  const id = foldName(element.name) === 'recording' ? null : value(element, 'sessionid', 'id');
  const holdsSession = children(element, 'session', 'communicationsession').length > 0;
  if (id !== null && !holdsSession) {
    reading.objects++;
    reading.metadata.sessions.push({ ...emptySession(id), ...sessionFields(reading, element) });
  }
  const known = new Set([
    'id',
    'sessionid',
    'sipsessionid',
    'groupref',
    'starttime',
    'stoptime',
    'reason',
    ...INTERVAL,
  ]);
  const objects = element.children.filter((child) => !(id !== null && known.has(foldName(child.name))));
  readObjects(reading, objects, id ?? outer);
}

function readGroup(reading: Reading, element: XmlElement): void {
  const groupId = value(element, 'groupid', 'id');
  if (groupId === null) {
    warn(reading, 'metadata-id-missing', 'A group in the metadata has no id.');
    return;
  }
  reading.metadata.groups.push({
    groupId,
    ...interval(reading, element),
    extensions: extensionsOf(element, 'groupid', 'id', ...INTERVAL),
  });
}

function readSession(reading: Reading, element: XmlElement): void {
  const sessionId = value(element, 'sessionid', 'id');
  if (sessionId === null) warn(reading, 'metadata-id-missing', 'A communication session in the metadata has no id.');
  const nested = ['participant', 'stream', 'mediastream', 'participantsessionassoc', 'participantstreamassoc'];
  const own = ['sessionid', 'id', 'sipsessionid', 'groupref', 'reason', 'starttime', 'stoptime', ...INTERVAL];
  reading.metadata.sessions.push({
    ...emptySession(sessionId ?? `session-${reading.metadata.sessions.length + 1}`),
    ...sessionFields(reading, element),
    extensions: extensionsOf(element, ...own, ...nested),
  });
  // The drafts gave the session its own association times.
  const times = interval(reading, element);
  if (times.associateTime !== null || times.disassociateTime !== null) {
    reading.metadata.sessionRecordingAssociations.push({ sessionId, ...times, extensions: [] });
  }
  readObjects(reading, children(element, ...nested), sessionId);
}

function emptySession(sessionId: string): RecordingMetadata['sessions'][number] {
  return { sessionId, sipSessionIds: [], groupRefs: [], reasons: [], startTime: null, stopTime: null, extensions: [] };
}

function sessionFields(reading: Reading, element: XmlElement) {
  return {
    // Documents break the line between an id and its parameter, the RFC's own example does.
    sipSessionIds: values(element, 'sipsessionid').map((id) => id.replace(/\s*;\s*/g, ';')),
    groupRefs: values(element, 'groupref'),
    reasons: children(element, 'reason').map((reason) => ({
      protocol: attribute(reason, 'protocol'),
      text: deepText(reason).trim(),
    })),
    startTime: time(reading, element, 'starttime'),
    stopTime: time(reading, element, 'stoptime'),
  };
}

function readParticipant(reading: Reading, element: XmlElement, outer: string | null): void {
  const { metadata } = reading;
  const participantId = value(element, 'participantid', 'id') ?? `participant-${metadata.participants.length + 1}`;
  const nested = ['send', 'recv', 'session', 'sessionid', ...INTERVAL];
  metadata.participants.push({
    participantId,
    nameIds: readNameIds(element),
    extensions: extensionsOf(element, 'participantid', 'id', 'nameid', 'aor', 'name', 'number', 'uri', ...nested),
  });
  // The drafts put both associations into the participant.
  const sessionId = value(element, 'session', 'sessionid') ?? outer;
  const times = interval(reading, element);
  if (sessionId !== null || times.associateTime !== null) {
    metadata.participantSessionAssociations.push({
      participantId,
      sessionId,
      ...times,
      parameters: [],
      extensions: [],
    });
  }
  const send = references(element, 'send');
  const recv = references(element, 'recv');
  if (send.length > 0 || recv.length > 0) {
    metadata.participantStreamAssociations.push({ participantId, send, recv, ...times, extensions: [] });
  }
}

function readNameIds(element: XmlElement): Participant['nameIds'] {
  const nameIds = children(element, 'nameid').map((nameId) => {
    const bare = nameId.children.length === 0 && nameId.text.trim() !== '' ? nameId.text.trim() : null;
    return { aor: value(nameId, 'aor', 'uri') ?? bare, names: readNames(nameId) };
  });
  if (nameIds.length > 0) return nameIds;
  const aor = value(element, 'aor', 'uri', 'number');
  const names = readNames(element);
  return aor === null && names.length === 0 ? [] : [{ aor, names }];
}

function readNames(element: XmlElement): { language: string | null; text: string }[] {
  const names = children(element, 'name').map((name) => ({
    language: attribute(name, 'lang'),
    text: deepText(name).trim().replace(/\s+/g, ' '),
  }));
  const plain = attribute(element, 'name');
  if (plain !== null) names.push({ language: null, text: plain });
  return names.filter((name) => name.text !== '');
}

function readStream(reading: Reading, element: XmlElement, outer: string | null): void {
  const label = value(element, 'label');
  const streamId = value(element, 'streamid', 'id') ?? label;
  if (streamId === null) {
    warn(reading, 'metadata-id-missing', 'A stream in the metadata has neither id nor label.');
    return;
  }
  reading.metadata.streams.push({
    streamId,
    sessionId: value(element, 'sessionid', 'session') ?? outer,
    label,
    extensions: extensionsOf(
      element,
      'streamid',
      'id',
      'sessionid',
      'session',
      'label',
      'mode',
      'contenttype',
      ...INTERVAL,
    ),
  });
}

function readSessionRecording(reading: Reading, element: XmlElement, outer: string | null): void {
  reading.metadata.sessionRecordingAssociations.push({
    sessionId: value(element, 'sessionid', 'session', 'id') ?? outer,
    ...interval(reading, element),
    extensions: extensionsOf(element, 'sessionid', 'session', 'id', ...INTERVAL),
  });
}

function readParticipantSession(reading: Reading, element: XmlElement, outer: string | null): void {
  const participantId = value(element, 'participantid', 'participant', 'id');
  if (participantId === null) {
    warn(reading, 'metadata-id-missing', 'An association in the metadata names no participant.');
    return;
  }
  reading.metadata.participantSessionAssociations.push({
    participantId,
    sessionId: value(element, 'sessionid', 'session') ?? outer,
    ...interval(reading, element),
    parameters: children(element, 'param').map((param) => ({
      name: value(param, 'pname', 'name') ?? '',
      value: value(param, 'pval', 'pvalue', 'value') ?? param.text.trim(),
    })),
    extensions: extensionsOf(element, 'participantid', 'participant', 'sessionid', 'session', 'param', ...INTERVAL),
  });
}

function readParticipantStream(reading: Reading, element: XmlElement): void {
  const participantId = value(element, 'participantid', 'participant', 'id');
  if (participantId === null) {
    warn(reading, 'metadata-id-missing', 'An association in the metadata names no participant.');
    return;
  }
  reading.metadata.participantStreamAssociations.push({
    participantId,
    send: references(element, 'send'),
    recv: references(element, 'recv'),
    ...interval(reading, element),
    extensions: extensionsOf(element, 'participantid', 'participant', 'send', 'recv', ...INTERVAL),
  });
}

function interval(
  reading: Reading,
  element: XmlElement,
): { associateTime: MetadataTime; disassociateTime: MetadataTime } {
  return {
    associateTime: time(reading, element, 'associatetime'),
    disassociateTime: time(reading, element, 'disassociatetime'),
  };
}

function time(reading: Reading, element: XmlElement, name: string): MetadataTime {
  const text = value(element, name);
  return text === null ? null : parseMetadataTime(text, reading.warnings);
}

/** The texts of `send` or `recv` elements; some put the id into an attribute. */
function references(element: XmlElement, name: string): string[] {
  return children(element, name)
    .map((child) => child.text.trim() || (value(child, 'streamid', 'stream', 'id') ?? ''))
    .filter((text) => text !== '')
    .slice(0, MAX_REFERENCES);
}

/** The first attribute of one of these names, else the text of the first such child; null if all are absent or empty. */
function value(element: XmlElement, ...names: string[]): string | null {
  for (const name of names) {
    const found = attribute(element, name) ?? children(element, name)[0]?.text.trim() ?? '';
    if (found !== '') return found;
  }
  return null;
}

function values(element: XmlElement, name: string): string[] {
  const texts = children(element, name).map((child) => child.text.trim());
  const plain = attribute(element, name);
  return [...(plain === null ? [] : [plain]), ...texts].filter((text) => text !== '');
}

function attribute(element: XmlElement, name: string): string | null {
  for (const [key, text] of element.attributes) if (foldName(key) === name && text.trim() !== '') return text.trim();
  return null;
}

function children(element: XmlElement, ...names: string[]): XmlElement[] {
  return element.children.filter((child) => names.includes(foldName(child.name)));
}

function deepText(element: XmlElement): string {
  return element.text + element.children.map(deepText).join('');
}

/** The children that are none of `known`. */
function extensionsOf(element: XmlElement, ...known: string[]): ExtensionElement[] {
  return element.children.filter((child) => !known.includes(foldName(child.name))).flatMap(readExtension);
}

/** The drafts' `extensiondata` is only a wrapper. */
function readExtension(element: XmlElement): ExtensionElement[] {
  if (foldName(element.name) === 'extensiondata') return element.children.flatMap(readExtension);
  const { name, namespace, attributes } = element;
  return [
    {
      name,
      namespace,
      attributes: Object.fromEntries(attributes),
      text: element.text.trim(),
      children: element.children.flatMap(readExtension),
    },
  ];
}

function warn(reading: Reading, code: string, message: string): void {
  reading.warnings.push({ code, message });
}

function dedupe(warnings: Warning[]): Warning[] {
  const seen = new Set<string>();
  return warnings.filter((warning) => {
    const key = `${warning.code} ${warning.message}`;
    if (seen.has(key)) return false;
    return seen.add(key);
  });
}
