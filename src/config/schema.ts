// Every setting: its type, unit, default and one sentence. `sipreel config --print` and the README's table are made from here.
import { isIP } from 'node:net';
import { z } from 'zod';
import { unknownNameFields } from '../archive/names.ts';
import { DEFAULT_ALLOWED_SOURCES, parseNetwork } from '../oreka/sources.ts';
import { parseHostPort, parseOrekaListener, parsePortRange, parseSipListener } from './addresses.ts';

const seconds = (most: number) => z.number().nonnegative().max(most);
const hostPort = z.string().refine((text) => parseHostPort(text) !== null, 'must be HOST:PORT or [IPv6]:PORT');
const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address');
const sipListener = z
  .string()
  .refine(
    (text) => parseSipListener(text) !== null,
    'must be udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT with an IP address',
  );
const portRange = z.string().refine((text) => {
  const range = parsePortRange(text);
  return range !== null && range.last - range.first >= 3;
}, 'must be FIRST-LAST with at least four ports between 1 and 65535');
const nameTemplate = z.string().refine((text) => text.length > 0 && unknownNameFields(text).length === 0, {
  error: (issue) => {
    const unknown = unknownNameFields(String(issue.input));
    return unknown.length > 0 ? `has unknown fields: ${unknown.join(', ')}` : 'must not be empty';
  },
});

const file = z.string().min(1).nullable().default(null);
const tls = z.strictObject({
  certificateFile: file.describe(
    'PEM file with the certificate for tls listeners, then its intermediates. Read again when it changes.',
  ),
  keyFile: file.describe('PEM file with its private key, not encrypted.'),
  authoritiesFile: file.describe(
    "PEM file with the authorities that peers' certificates must come from. Null: the system's, for servers only.",
  ),
  clientCertificates: z
    .enum(['none', 'request', 'require'])
    .default('none')
    .describe('Whether clients must show a certificate from authoritiesFile.'),
  minimumVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest TLS version that is taken.'),
});

const sip = z.strictObject({
  listen: z
    .array(sipListener)
    .min(1)
    .max(64)
    .default(['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'])
    .describe(
      'Addresses on which SIP is taken (udp:, tcp:, tls:); keep UDP and TCP on the same port. Not used with an external drachtio server.',
    ),
  answerDelayMs: z
    .number()
    .int()
    .min(0)
    .max(5_000)
    .default(10)
    .describe(
      'Milliseconds between an INVITE and its first final answer at the least; OpenSIPS loses answers that come within about 1 ms.',
    ),
  acceptPlainCalls: z
    .boolean()
    .default(false)
    .describe('Also record INVITEs that look like an ordinary call (sendrecv audio, no SIPREC marks).'),
});

const oreka = z.strictObject({
  listen: z
    .array(z.string().refine((text) => parseOrekaListener(text) !== null, 'must be ADDRESS:PORT with an IP address'))
    .max(64)
    .default(['0.0.0.0:15060'])
    .describe("Addresses on which FreeSWITCH's mod_oreka is heard (UDP). An empty list switches it off."),
  allowedSources: z
    .array(
      z.string().refine((text) => parseNetwork(text) !== null, 'must be an IP address or a network like 10.0.0.0/8'),
    )
    .max(1_000)
    .default([...DEFAULT_ALLOWED_SOURCES])
    .describe('Addresses and networks that mod_oreka may send from; it has no authentication, and opens ports here.'),
  answer: z.boolean().default(false).describe('Answer its messages with 200 OK. FreeSWITCH does not wait for it.'),
  byeGraceSeconds: seconds(3_600)
    .default(10)
    .describe('Seconds that a recording waits for the other side when only one of the two has ended.'),
  inactivitySeconds: seconds(604_800)
    .min(1)
    .default(3_600)
    .describe(
      'Seconds without a packet after which a mod_oreka recording ends; its holds and queues are silent, and its BYE may be lost.',
    ),
});

const freeswitch = z.strictObject({
  eventSocket: hostPort
    .default('127.0.0.1:8021')
    .describe("FreeSWITCH's event socket, for `sipreel freeswitch`. The recorder itself never connects to it."),
  password: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Its password; better given as SIPREEL_FREESWITCH_PASSWORD in the environment.'),
});

const rtp = z.strictObject({
  mediaAddress: ipAddress
    .nullable()
    .default(null)
    .describe('Address in our SDP answers. Null: the local address that faces the client.'),
  bindAddress: ipAddress.default('0.0.0.0').describe('Address on which the RTP ports are bound.'),
  ports: portRange
    .default('40000-64999')
    .describe('Port range for RTP (even) and RTCP (odd); a call with two parties takes four.'),
  restSeconds: seconds(3_600)
    .default(5)
    .describe(
      "Seconds that the ports of an ended call stay bound, because one ICMP error stops rtpproxy's copy for good.",
    ),
  receiverReports: z.boolean().default(true).describe('Send RTCP receiver reports to the media senders.'),
  receiver: z
    .enum(['dgram', 'linux'])
    .default('dgram')
    .describe('How media is received. dgram: works everywhere. linux: system calls, half the CPU, on 64-bit Linux.'),
  workers: z
    .number()
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe('Capture threads; 0 is one less than the cores, between 1 and 4.'),
});

const drachtio = z.strictObject({
  address: hostPort
    .nullable()
    .default(null)
    .describe('HOST:PORT of an external drachtio server. Null: the embedded SIP server is used.'),
  secret: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Its secret; better given as SIPREEL_DRACHTIO_SECRET in the environment.'),
  patienceSeconds: seconds(3_600)
    .default(30)
    .describe(
      'Seconds that a start waits for it to become reachable. A connection that is lost later is remade for ever.',
    ),
});

const limits = z.strictObject({
  recordings: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(3_000)
    .describe('Recordings at the same time; more are refused with 503.'),
  inactivitySeconds: seconds(86_400)
    .min(1)
    .default(300)
    .describe('Seconds without media and signalling after which a recording ends as abandoned.'),
  holdInactivitySeconds: seconds(604_800)
    .min(1)
    .default(7_200)
    .describe('The same while every stream of the call is on hold.'),
  maxDurationSeconds: seconds(604_800).min(1).default(43_200).describe('Longest recording in seconds.'),
});

const audio = z.strictObject({
  layout: z
    .enum(['stereo', 'per-party'])
    .default('stereo')
    .describe('stereo: caller left, everybody else right. per-party: a channel for each party.'),
  sampleRateHz: z
    .number()
    .int()
    .min(8_000)
    .max(48_000)
    .nullable()
    .default(null)
    .describe("Sample rate of the WAV. Null: the highest rate among the call's streams."),
  renderers: z.number().int().min(1).max(64).default(1).describe('Recordings rendered at the same time.'),
});

const storage = z.strictObject({
  name: nameTemplate
    .default('{start}_{caller}_{callee}_{id}')
    .describe(
      'Directory name of a recording; fields: start, caller, callee, callerName, calleeName, callId, group, source, id.',
    ),
  journal: z
    .enum(['always', 'when-needed'])
    .default('always')
    .describe('Keep capture.pcapng beside the audio always, or only when the audio does not hold everything.'),
});

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity that is logged.'),
});

const shutdown = z.strictObject({
  drainSeconds: seconds(86_400)
    .default(30)
    .describe('Seconds that SIGTERM waits for running calls before it ends their recordings.'),
  finishSeconds: seconds(3_600)
    .default(20)
    .describe('Seconds for rendering what is left; the rest is done at the next start.'),
});

export const configSchema = z
  .strictObject({
    data: z.string().min(1).default('./data').describe('Directory of everything that is stored.'),
    sip: sip.prefault({}),
    tls: tls.prefault({}),
    oreka: oreka.prefault({}),
    freeswitch: freeswitch.prefault({}),
    rtp: rtp.prefault({}),
    drachtio: drachtio.prefault({}),
    limits: limits.prefault({}),
    audio: audio.prefault({}),
    storage: storage.prefault({}),
    log: log.prefault({}),
    shutdown: shutdown.prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const range = parsePortRange(config.rtp.ports);
    for (const listener of config.sip.listen) {
      const address = parseSipListener(listener);
      if (config.drachtio.address === null && address?.transport === 'udp' && range && inside(address.port, range)) {
        refuse(['rtp', 'ports'], `contains the SIP port ${address.port} of ${listener}`);
      }
    }
    const { tls } = config;
    if (config.sip.listen.some((listener) => parseSipListener(listener)?.transport === 'tls')) {
      if (tls.certificateFile === null) refuse(['tls', 'certificateFile'], 'is needed for a tls listener');
      if (tls.keyFile === null) refuse(['tls', 'keyFile'], 'is needed for a tls listener');
    }
    if (tls.clientCertificates !== 'none' && tls.authoritiesFile === null) {
      refuse(['tls', 'authoritiesFile'], 'is needed to check client certificates');
    }
    for (const listener of config.oreka.listen) {
      const address = parseOrekaListener(listener);
      if (address && range && inside(address.port, range))
        refuse(['rtp', 'ports'], `contains the oreka port of ${listener}`);
    }
    if (new Set(config.sip.listen).size < config.sip.listen.length) refuse(['sip', 'listen'], 'names an address twice');
    if (config.drachtio.address !== null && config.drachtio.secret === null) {
      refuse(['drachtio', 'secret'], 'is needed with drachtio.address');
    }
    if (range && Math.floor((range.last - range.first + 1) / 4) < 1)
      refuse(['rtp', 'ports'], 'is too small for one call');
  });

const inside = (port: number, range: { first: number; last: number }) => port >= range.first && port <= range.last;

export type Config = z.infer<typeof configSchema>;
/** What a file or the command line may give: every part is optional. */
export type ConfigInput = z.input<typeof configSchema>;
