// Recordings as a busy installation has them, made from their number alone: the same number gives the same recording.
import type { IndexedRecording } from '../../src/archive/index/row.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';

export interface GeneratedWorld {
  rows: number;
  /** Customers' numbers; each calls several times. */
  numbers: number;
  firstMs: number;
}

const FIRST = [
  'Anna',
  'Ben',
  'Chiara',
  'David',
  'Elif',
  'Farid',
  'Greta',
  'Hugo',
  'Ines',
  'Jonas',
  'Katja',
  'Luca',
  'Mia',
];
const LAST = [
  'Albrecht',
  'Bianchi',
  'Castell',
  'Dubois',
  'Eriksen',
  'Fischer',
  'Garcia',
  'Horvat',
  'Ivanova',
  'Jansen',
];
const GAP_MS = 3_000;

export const worldOf = (rows: number): GeneratedWorld => ({
  rows,
  numbers: Math.max(100, Math.floor(rows / 20)),
  firstMs: Date.UTC(2026, 0, 1) - rows * GAP_MS,
});

export function generatedRecording(world: GeneratedWorld, n: number): IndexedRecording {
  const roll = mixed(n);
  const hex = (salt: number) =>
    mixed(n * 31 + salt)
      .toString(16)
      .padStart(8, '0');
  const start = new Date(world.firstMs + n * GAP_MS);
  const customer = mixed(roll % world.numbers);
  const name = `${FIRST[customer % FIRST.length]} ${LAST[(customer >>> 4) % LAST.length]}${(customer >>> 9) % 1000}`;
  const agent = 1000 + (roll % 500);
  const durationMs = roll % 997 === 0 ? 3_700_000 : (roll % 600) * 1000;
  const lost = roll % 211 === 0 ? 50 : 0;
  const document: RecordingDocument = {
    version: 1,
    id: `${hex(1)}-${hex(2).slice(0, 4)}-4${hex(2).slice(4, 7)}-8${hex(3).slice(0, 3)}-${hex(4)}${hex(5).slice(0, 4)}`,
    source: roll % 1009 === 0 ? 'import' : 'siprec',
    state: roll % 5003 === 0 ? 'failed' : 'finished',
    endReason: 'ended',
    times: {
      start: start.toISOString(),
      end: new Date(start.getTime() + durationMs).toISOString(),
      audioStart: start.toISOString(),
      statedStart: null,
      durationMs,
    },
    sessions: [],
    call: {
      sipCallId: `${hex(6)}${hex(7)}@192.0.2.${roll % 250}`,
      communicationSessionId: `${hex(8)}${hex(9)}`,
      sipSessionIds: [`${hex(10)}${hex(11)}`],
      groupId: `queue${roll % 40}`,
      continues: null,
      vendor: {},
      peer: 'tcp:192.0.2.1:5060',
    },
    participants: [
      party('caller', `sip:+49${String(customer % 1e10).padStart(10, '1')}@carrier.example`, null, 0),
      party('callee', `sip:${agent}@pbx.example`, name, 1),
    ],
    streams: [stream('s0', 0, lost), { ...stream('s1', 1, 0), ...(roll % 307 === 0 ? { packets: 0 } : {}) }],
    audio: { sampleRateHz: 8000, channels: 2, layout: 'caller-callee' },
    timeline: [],
    warnings: [],
    files: [{ name: 'audio.wav', role: 'audio', octets: durationMs * 32, sha256: '0'.repeat(64) }],
    headers: [{ name: 'X-Tenant', value: `tenant-${roll % 5000}` }],
    metadata: [],
  };
  const notes = roll % 100 === 0 ? [{ noteId: hex(12), text: `customer ${name} complained`, by: 'x', atMs: 0 }] : [];
  const tags = roll % 20 === 0 ? [`tag${roll % 50}`] : [];
  return {
    document,
    annotations: { tags, notes, hold: null },
    directory: `${start.toISOString().slice(0, 10).replaceAll('-', '/')}/${document.id}`,
    keepUntilMs: null,
  };
}

/** 32 bits that look random. */
function mixed(n: number): number {
  let x = Math.imul(n ^ (n >>> 16), 0x45d9f3b) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

function party(role: 'caller' | 'callee', aor: string, name: string | null, channel: number) {
  return { id: role, aor, name, role, channel, rule: 'order' };
}

function stream(id: string, channel: number, lost: number) {
  const none = { octets: 0, duplicate: 0, late: 0, reordered: 0, undecodable: 0, jitterMs: 0, rtcpPackets: 0 };
  return {
    id,
    label: id,
    participantId: null,
    channel,
    rule: 'label',
    codecs: ['PCMU/8000'],
    ssrcs: [1],
    sources: [],
    rendered: true,
    packets: 1000,
    lost,
    ...none,
    driftPpm: null,
    firstPacket: null,
    lastPacket: null,
    drops: {},
  };
}
