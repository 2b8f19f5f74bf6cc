// `sipreel doctor`: can this machine, with this configuration, record? Each check says what to do.
import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, networkInterfaces } from 'node:os';
import { parseArgs } from 'node:util';
import { parseHostPort, parsePortRange, parseSipListener, type SipListener } from '../config/addresses.ts';
import { rtpBindAddress } from '../config/rtp-address.ts';
import type { Config } from '../config/schema.ts';
import { probeDrachtio } from '../drachtio/probe.ts';
import { checkAccess } from './doctor-access.ts';
import { checkArchive } from './doctor-archive.ts';
import { checkHttp } from './doctor-http.ts';
import { checkMedia } from './doctor-media.ts';
import { checkReadiness } from './doctor-readiness.ts';
import { checkStorage } from './doctor-storage.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { type Finding, fail, ok, warn } from './finding.ts';
import { openFileLimit, tooFewOpenFiles } from './open-files.ts';
import { CONFIG_OPTIONS, CONFIG_OPTIONS_USAGE, configFromFlags } from './serve-options.ts';

export const DOCTOR_USAGE = `sipreel doctor [options]

Checks Node, the storage directories, the master key, the store (with a probe object), the SIP addresses, the RTP ports and the system's limits, and says what to change.
Exits with 1 if something would keep the recorder from working. If a recorder runs with this data directory, says whether it
takes calls and how near to its limits everything is; its addresses are taken then.

${CONFIG_OPTIONS_USAGE}`;

export async function doctor(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: CONFIG_OPTIONS });
  const config = await configFromFlags(values);
  const findings = [
    ok(`Node ${process.version}, ${availableParallelism()} cores`),
    ...(await checkMedia(config.rtp.receiver)),
    ...(await checkStorage(config)),
    ...(await checkArchive(config)),
    ...(await checkReadiness(config)),
    ...(await checkSignalling(config)),
    ...checkAccess(config),
    ...(await checkHttp(config)),
    ...(await checkPorts(config)),
    ...(await checkOpenFiles(config)),
    checkMediaAddress(config),
  ];
  for (const { verdict, text } of findings) console.log(`${verdict.padEnd(4)}  ${text}`);
  return findings.some((finding) => finding.verdict === 'fail') ? EXIT_FAILED : EXIT_OK;
}

async function checkSignalling(config: Config): Promise<Finding[]> {
  const external = config.drachtio.address === null ? null : parseHostPort(config.drachtio.address);
  if (external) {
    try {
      const version = await probeDrachtio({ ...external, secret: config.drachtio.secret ?? '' }, 3_000);
      return [ok(`drachtio server ${config.drachtio.address} takes us in, version ${version}`)];
    } catch (error) {
      return [fail((error as Error).message)];
    }
  }
  return Promise.all(
    config.sip.listen.map(async (text) => {
      const listener = parseSipListener(text)!;
      const problem = await bindProblem(listener);
      if (problem === null) return ok(`SIP address ${text} is free`);
      const hint = problem === 'EADDRINUSE' ? 'another program has it (is the recorder running?)' : problem;
      return fail(`SIP address ${text} cannot be bound: ${hint}`);
    }),
  );
}

async function checkPorts(config: Config): Promise<Finding[]> {
  const range = parsePortRange(config.rtp.ports)!;
  const calls = Math.floor((range.last - range.first + 1) / 4);
  const findings: Finding[] = [];
  const room = `RTP ports ${config.rtp.ports} have room for ${calls} two-party calls`;
  findings.push(
    calls < config.limits.recordings
      ? warn(`${room}, fewer than limits.recordings ${config.limits.recordings}`)
      : ok(room),
  );
  let taken = 0;
  const samples = 50;
  for (let sample = 0; sample < samples; sample++) {
    const port = range.first + Math.floor(((range.last - range.first) * sample) / samples);
    if ((await bindProblem({ transport: 'udp', host: rtpBindAddress(config), port })) !== null) taken++;
  }
  findings.push(
    taken > 0
      ? warn(`${taken} of ${samples} sampled RTP ports are taken by other programs`)
      : ok('sampled RTP ports are free'),
  );
  const ephemeral = await readNumbers('/proc/sys/net/ipv4/ip_local_port_range');
  const [low, high] = ephemeral;
  if (low !== undefined && high !== undefined && low <= range.last && high >= range.first) {
    findings.push(
      warn(
        `the system hands out ports ${low}-${high} to other programs too; reserve ours: sysctl net.ipv4.ip_local_reserved_ports=${config.rtp.ports}`,
      ),
    );
  }
  return findings;
}

async function checkOpenFiles(config: Config): Promise<Finding[]> {
  const limit = await openFileLimit();
  if (!limit) return [];
  const problem = tooFewOpenFiles(limit, parsePortRange(config.rtp.ports)!);
  if (problem !== null) return [warn(problem)];
  return [ok(`open file limit ${limit.files} is enough for all calls that rtp.ports takes`)];
}

function checkMediaAddress(config: Config): Finding {
  const address = config.rtp.mediaAddress;
  if (address === null) return ok('media address: the one that faces each client');
  const ours = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  if (ours.some((entry) => entry.address === address)) return ok(`media address ${address} is this machine's`);
  return warn(`media address ${address} is not this machine's: right only behind NAT that forwards the RTP ports`);
}

/** Null if it can be bound, else the error's code. */
function bindProblem({ transport, host, port }: SipListener): Promise<string | null> {
  return new Promise((resolveProblem) => {
    const failed = (error: NodeJS.ErrnoException) => resolveProblem(error.code ?? error.message);
    if (transport !== 'udp') {
      const server = createServer();
      server.once('error', failed);
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolveProblem(null)));
    } else {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.once('error', (error: NodeJS.ErrnoException) => {
        socket.close();
        failed(error);
      });
      socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolveProblem(null)));
    }
  });
}

/** The numbers in a small file of /proc; none where there is no such file. */
async function readNumbers(path: string): Promise<number[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number);
}
