// What the experts ask for: identifiers, streams with their figures, header fields, the metadata as it came.
import { el } from './dom.js';
import { octets } from './words.js';

export function details(recording) {
  return el(
    'section',
    { class: 'panel' },
    el('h2', {}, 'Details'),
    el('details', {}, el('summary', {}, 'Identifiers'), pairs(identifiers(recording))),
    el('details', {}, el('summary', {}, 'Parties and streams'), parties(recording), streams(recording)),
    recording.headers.length > 0 &&
      el(
        'details',
        {},
        el('summary', {}, `Header fields (${recording.headers.length})`),
        pairs(recording.headers.map(({ name, value }) => [name, value])),
      ),
    recording.metadata.length > 0 &&
      el(
        'details',
        {},
        el('summary', {}, `Metadata (${recording.metadata.length})`),
        recording.metadata.map(({ received, contentType, text }) => [
          el('p', { class: 'soft' }, `${contentType}, ${received}`),
          el('pre', { tabindex: 0 }, text),
        ]),
      ),
    el(
      'details',
      {},
      el('summary', {}, 'Files'),
      pairs(recording.files.map(({ name, octets: size, sha256 }) => [name, `${octets(size)}, SHA-256 ${sha256}`])),
    ),
  );
}

function identifiers({ id, call, sessions, rule, times }) {
  return [
    ['Recording', id],
    ['SIP Call-ID', call.sipCallId],
    ['Communication session', call.communicationSessionId],
    ...call.sipSessionIds.map((value) => ['sipSessionID', value]),
    ['Group', call.groupId],
    ['Continues', call.continues],
    ['Peer', call.peer],
    ...Object.entries(call.vendor),
    ['Start', times.start],
    ['End', times.end],
    ['First sample', times.audioStart],
    ['Start as the client says', times.statedStart],
    ...sessions.map((session, i) => [
      `Session ${i + 1}`,
      `${session.sipCallId} from ${session.peer}, ${session.joinedBy}`,
    ]),
    ['Rule', rule && `${rule.number}${rule.because ? `: ${rule.because}` : ''}`],
  ].filter(([, value]) => value);
}

const pairs = (entries) =>
  el(
    'dl',
    {},
    entries.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
  );

function parties({ participants }) {
  const rows = participants.map(({ name, aor, role, channel, rule }) => [name, aor, role, channel, rule]);
  return table('Parties', ['Name', 'Address', 'Role', 'Channel', 'Why'], rows);
}

function streams({ streams: all }) {
  const columns = ['Stream', 'Channel', 'Codecs', 'Packets', 'Lost', 'Late', 'Duplicate', 'Jitter', 'From', 'Why'];
  const rows = all.map((one) => [
    one.label ?? one.id,
    one.channel,
    one.codecs.join(', '),
    one.packets,
    one.lost,
    one.late,
    one.duplicate,
    `${one.jitterMs} ms`,
    one.sources.join(', '),
    one.rule,
  ]);
  return table('Streams', columns, rows);
}

function table(caption, columns, rows) {
  return el(
    'div',
    { class: 'wide', tabindex: 0, role: 'region', 'aria-label': caption },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          columns.map((column) => el('th', { scope: 'col' }, column)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) =>
          el(
            'tr',
            {},
            row.map((cell) => el('td', {}, cell ?? '–')),
          ),
        ),
      ),
    ),
  );
}
