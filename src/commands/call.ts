// `sipreel call`: the built-in recording client (SRC) against anybody's recorder.
import { lookup } from 'node:dns/promises';
import { parseArgs } from 'node:util';
import { type AudioSource, tonePair } from '../client/audio.ts';
import type { CallParty, CallPlan, KeyOwner, SrtpPlan } from '../client/call-plan.ts';
import { campaignSucceeded, formatSummary, runCampaign } from '../client/campaign.ts';
import { isCodecName } from '../client/codec.ts';
import { dialogue } from '../client/speech.ts';
import { readWavSources } from '../client/wav-audio.ts';
import { systemClock } from '../lib/clock.ts';
import { localAddressTowards } from '../lib/local-address.ts';
import { SRTP_SUITES, type SrtpSuite } from '../rtp/srtp/suites.ts';
import { startEmbeddedClient } from './embedded-client.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { processLog } from './process-log.ts';

export const CALL_USAGE = `sipreel call SIP-URI [options]

Calls a SIPREC recorder as OpenSIPS would and plays two parties into it. Exits with 1 if a call failed.

  SIP-URI            sip:host:port or "sip:host:port;transport=tcp"
  --seconds N        length of each call (10)
  --calls N          how many calls (1)
  --rate N           calls set up per second (10)
  --wav FILES        audio: one stereo file, or left.wav,right.wav; else --audio
  --audio KIND       speech (default) or tones: 440 Hz from the caller, 880 Hz from the callee
  --codec NAME       pcmu (default), pcma or l16
  --from NAME        the caller's name; --from-aor SIP-URI the address
  --to NAME          the callee's name; --to-aor SIP-URI the address
  --dtmf DIGITS      the caller dials them after a second
  --hold A-B         the callee holds from second A to second B
  --srtp[=SUITE]     encrypted media, keys in the SDP; AES_CM_128_HMAC_SHA1_80 unless given
  --srtp-keys WHOSE  offered (default); crossed: each stream with the other's key, as proxies fork phones' media;
                     unknown: with keys that the offer does not have
  --group ID         group id in the metadata
  --user NAME        for a recorder that asks for credentials; --password SECRET, or SIPREEL_CALL_PASSWORD in the environment
  --json             print the summary as JSON`;

const DEFAULT_SUITE: SrtpSuite = 'AES_CM_128_HMAC_SHA1_80';

const OPTIONS = {
  seconds: { type: 'string', default: '10' },
  calls: { type: 'string', default: '1' },
  rate: { type: 'string', default: '10' },
  wav: { type: 'string' },
  audio: { type: 'string', default: 'speech' },
  codec: { type: 'string', default: 'pcmu' },
  from: { type: 'string', default: 'Alice Smith' },
  'from-aor': { type: 'string', default: 'sip:1001@example.com' },
  to: { type: 'string', default: 'Bob Jones' },
  'to-aor': { type: 'string', default: 'sip:2002@example.com' },
  dtmf: { type: 'string' },
  hold: { type: 'string' },
  srtp: { type: 'string' },
  'srtp-keys': { type: 'string', default: 'offered' },
  group: { type: 'string' },
  user: { type: 'string' },
  password: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

export async function call(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: args.map(withSuite), options: OPTIONS, allowPositionals: true });
  const [uri, ...surplus] = positionals;
  const target = uri === undefined ? null : hostOf(uri);
  const mistakes = mistakesIn(values, target, surplus);
  if (uri === undefined || target === null || mistakes.length > 0) {
    console.error(mistakes.join('\n'));
    return EXIT_USAGE;
  }

  const [caller, callee] = await audioSources(values.wav, values.audio);
  const parties: CallParty[] = [{ name: values.from, aor: values['from-aor'], audio: caller }];
  if (callee) parties.push({ name: values.to, aor: values['to-aor'], audio: callee });
  const hold = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(values.hold ?? '');
  const password = values.password ?? process.env.SIPREEL_CALL_PASSWORD ?? '';
  const abort = new AbortController();
  const plan: CallPlan = {
    uri,
    parties,
    codec: isCodecName(values.codec) ? values.codec : 'pcmu',
    durationMs: Number(values.seconds) * 1000,
    reportIntervalMs: 5_000,
    ...(values.dtmf === undefined ? {} : { dtmf: { digits: values.dtmf, atMs: 1_000 } }),
    ...(hold ? { hold: { atMs: Number(hold[1]) * 1000, forMs: (Number(hold[2]) - Number(hold[1])) * 1000 } } : {}),
    ...(values.srtp === undefined ? {} : { srtp: srtpPlan(values.srtp, values['srtp-keys']) }),
    ...(values.group === undefined ? {} : { groupId: values.group }),
    ...(values.user === undefined ? {} : { credentials: { user: values.user, password } }),
  };

  const { address } = await lookup(target);
  const { client, close } = await startEmbeddedClient(await localAddressTowards(address), processLog('warn', 2));
  const onSignal = () => abort.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const campaign = {
      calls: Number(values.calls),
      ratePerSecond: Number(values.rate),
      signal: abort.signal,
      plan: () => plan,
    };
    const summary = await runCampaign(client, campaign, systemClock);
    console.log(values.json ? JSON.stringify(summary) : formatSummary(summary));
    return campaignSucceeded(summary) ? EXIT_OK : EXIT_FAILED;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await close();
  }
}

function mistakesIn(values: Record<string, unknown>, target: string | null, surplus: string[]): string[] {
  const mistakes: string[] = [];
  if (target === null) mistakes.push('A SIP URI is needed: sip:host:port');
  if (surplus.length > 0) mistakes.push(`Only one SIP URI is taken: ${surplus.join(' ')} is too many`);
  for (const name of ['seconds', 'rate']) {
    if (!(Number(values[name]) > 0)) mistakes.push(`--${name} needs a number above 0`);
  }
  if (!Number.isInteger(Number(values.calls)) || Number(values.calls) < 1)
    mistakes.push('--calls needs a whole number above 0');
  if (!isCodecName(String(values.codec))) mistakes.push('--codec is pcmu, pcma or l16');
  if (values.audio !== 'speech' && values.audio !== 'tones') mistakes.push('--audio is speech or tones');
  if (values.hold !== undefined) {
    const span = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(String(values.hold));
    if (!span || Number(span[2]) <= Number(span[1])) mistakes.push('--hold needs two seconds, the first smaller: 2-4');
  }
  if (values.password !== undefined && values.user === undefined) mistakes.push('--password needs --user');
  if (values.srtp !== undefined && !Object.hasOwn(SRTP_SUITES, String(values.srtp)))
    mistakes.push(`--srtp takes one of ${Object.keys(SRTP_SUITES).join(', ')}: --srtp=AEAD_AES_128_GCM`);
  if (!isKeyOwner(values['srtp-keys'])) mistakes.push('--srtp-keys is offered, crossed or unknown');
  if (values.dtmf !== undefined && !/^[0-9A-D*#]+$/i.test(String(values.dtmf)))
    mistakes.push('--dtmf takes 0-9, A-D, * and #');
  return mistakes;
}

/** parseArgs has no options whose value may be left out. */
function withSuite(argument: string): string {
  return argument === '--srtp' ? `--srtp=${DEFAULT_SUITE}` : argument;
}

function isKeyOwner(name: unknown): name is KeyOwner {
  return name === 'offered' || name === 'crossed' || name === 'unknown';
}

function srtpPlan(suite: string, keys: string): SrtpPlan {
  return { suite: suite as SrtpSuite, ...(isKeyOwner(keys) && { keys }) };
}

function hostOf(uri: string): string | null {
  const match = /^sips?:(?:[^@]*@)?(?:\[([^\]]+)\]|([^:;?[\]]+))/i.exec(uri);
  return match?.[1] ?? match?.[2] ?? null;
}

async function audioSources(wav: string | undefined, kind: string): Promise<[AudioSource, AudioSource | undefined]> {
  if (wav === undefined) return kind === 'tones' ? tonePair() : dialogue();
  const [caller, callee] = await readWavSources(wav.split(','));
  if (!caller) throw new Error(`${wav} holds no audio`);
  return [caller, callee];
}
