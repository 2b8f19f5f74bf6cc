// Replays a captured OpenSIPS call against a server: SIPp signals with the captured text, and the media of both streams
// follows from the capture, in step with the answers. (SIPp's own play_pcap_audio reaches only the first stream and needs root.)
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAnswer } from '../../src/client/answer.ts';
import { type CapturedDatagram, readPcap } from '../support/pcap.ts';
import { PcapPlayer, type SentDatagram } from './pcap-player.ts';

export type CapturedScenario = 'udp-basic' | 'hold-sendonly';

export interface CapturedCallPlan {
  scenario: CapturedScenario;
  transport: 'udp' | 'tcp';
  sipHost: string;
  sipPort: number;
}

export interface CapturedCallResult {
  /** SIPp's: 0 when the whole scenario was passed. */
  exitCode: number;
  callId: string;
  /** RTP packets sent, by label. */
  packetsSent: Record<string, number>;
  /** The same packets with the times at which they left. */
  sent: Record<string, SentDatagram[]>;
  /** What SIPp complained about; empty if it did not. */
  complaints: string;
}

/** Per scenario: the captured INVITEs in order, and which answered port belonged to which label when it was captured. */
const SCENARIOS: Record<CapturedScenario, { invites: string[]; labels: Map<number, string>; limitSeconds: number }> = {
  'udp-basic': {
    invites: ['001-INVITE.sip'],
    labels: new Map([
      [42502, '0'],
      [42858, '1'],
    ]),
    limitSeconds: 15,
  },
  'hold-sendonly': {
    invites: ['001-INVITE.sip', '005-INVITE.sip', '008-INVITE.sip'],
    labels: new Map([
      [42554, '0'],
      [42778, '1'],
    ]),
    limitSeconds: 25,
  },
};
/** The server that was captured. */
const CAPTURED_SRS_PORT = 5090;
const LOG_POLL_MS = 10;

const fixtures = fileURLToPath(new URL('../fixtures/opensips/', import.meta.url));
const scenarios = fileURLToPath(new URL('./sipp/', import.meta.url));

/** True if `sipp` (Debian's sip-tester) can be run. */
export function sippAvailable(): boolean {
  return spawnSync('sipp', ['-v'], { stdio: 'ignore' }).error === undefined;
}

/** Plays the call in real time: 4 s for udp-basic, 9 s for hold-sendonly. Rejects only when SIPp cannot be started. */
export async function runCapturedCall(plan: CapturedCallPlan): Promise<CapturedCallResult> {
  const directory = await mkdtemp(join(tmpdir(), 'sipreel-sipp-'));
  const player = new PcapPlayer();
  try {
    return await runIn(directory, plan, player);
  } finally {
    await player.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function runIn(directory: string, plan: CapturedCallPlan, player: PcapPlayer): Promise<CapturedCallResult> {
  const { invites, labels, limitSeconds } = SCENARIOS[plan.scenario];
  for (const [index, name] of invites.entries()) {
    const message = await readFile(join(fixtures, plan.scenario, name));
    await writeFile(join(directory, `offer${index + 1}.body`), message.subarray(message.indexOf('\r\n\r\n') + 4));
  }
  const phases = mediaPhases(readPcap(await readFile(join(fixtures, plan.scenario, `${plan.scenario}.pcap`))));
  const callId = `B2B.263.${randomInt(1_000_000, 9_999_999)}.${randomInt(1e9, 2e9)}.${randomInt(1e8, 2e9)}`;
  const logPath = join(directory, 'answers.log');
  const errorPath = join(directory, 'errors.log');
  const sipp = spawn(
    'sipp',
    [
      ...[`${plan.sipHost}:${plan.sipPort}`, '-sf', join(scenarios, `${plan.scenario}.xml`)],
      ...[
        '-t',
        plan.transport === 'tcp' ? 't1' : 'u1',
        '-key',
        'uri_params',
        plan.transport === 'tcp' ? ';transport=tcp' : '',
      ],
      ...['-m', '1', '-cid_str', callId, '-i', '127.0.0.1', '-nostdin'],
      ...['-timeout', `${limitSeconds}s`, '-timeout_error'],
      ...['-trace_logs', '-log_file', logPath, '-trace_err', '-error_file', errorPath],
    ],
    { cwd: directory, stdio: 'ignore' },
  );
  const exited = Promise.withResolvers<number>();
  let running = true;
  sipp.once('error', (error) => {
    running = false;
    exited.reject(error);
  });
  sipp.once('exit', (code) => {
    running = false;
    exited.resolve(code ?? -1);
  });

  const packetsSent: Record<string, number> = {};
  for (const label of labels.values()) packetsSent[label] = 0;
  const playing: Promise<void>[] = [];
  const poll = async (): Promise<void> => {
    const answers = (await readFile(logPath, 'utf8').catch(() => '')).split('END-OF-ANSWER').slice(0, -1);
    for (const answer of answers.slice(playing.length, phases.length))
      playing.push(play(answer, phases[playing.length]!));
  };
  const play = async (answer: string, { originMs, datagrams }: MediaPhase): Promise<void> => {
    const reading = readAnswer(answer, [...labels.values()]);
    if (!reading.ok) return;
    const targets = new Map<number, { host: string; port: number }>();
    for (const [port, label] of labels) {
      const destination = reading.streams.find((stream) => stream.label === label)?.destination;
      if (destination) targets.set(port, { host: destination.host, port: destination.rtpPort });
    }
    for (const [port, count] of await player.play(datagrams, originMs, targets))
      packetsSent[labels.get(port)!]! += count;
  };
  while (running) {
    await poll();
    await new Promise((resolve) => setTimeout(resolve, LOG_POLL_MS));
  }
  const exitCode = await exited.promise;
  await Promise.all(playing);
  const complaints = await readFile(errorPath, 'utf8').catch(() => '');
  const sent = Object.fromEntries([...labels].map(([port, label]) => [label, player.sent.get(port) ?? []]));
  return { exitCode, callId, packetsSent, sent, complaints };
}

interface MediaPhase {
  /** When the captured server answered the INVITE that began this phase. */
  originMs: number;
  datagrams: CapturedDatagram[];
}

/** Cuts a capture at each 200 that the captured server gave to an INVITE: until the next one the media belongs to that answer. */
function mediaPhases(datagrams: readonly CapturedDatagram[]): MediaPhase[] {
  const phases: MediaPhase[] = [];
  for (const datagram of datagrams) {
    if (datagram.source.port === CAPTURED_SRS_PORT && isInviteOk(datagram.payload)) {
      phases.push({ originMs: datagram.timeMs, datagrams: [] });
    } else phases.at(-1)?.datagrams.push(datagram);
  }
  return phases;
}

function isInviteOk(payload: Buffer): boolean {
  const text = payload.toString('latin1');
  return text.startsWith('SIP/2.0 200') && /^CSeq: \d+ INVITE/m.test(text);
}
