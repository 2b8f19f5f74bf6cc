// The HTTP door on a free loopback port, over a library with recordings of its own.
import { onTestFinished } from 'vitest';
import { createArchive } from '../../src/archive/archive.ts';
import { AuditFile } from '../../src/archive/audit-file.ts';
import { DirectoryLibrary } from '../../src/archive/directory-library.ts';
import type { Encoder } from '../../src/archive/formats/encoder.ts';
import { Importer } from '../../src/archive/importer.ts';
import type { CaptureHealth } from '../../src/capture/capture-engine.ts';
import type { Role } from '../../src/http/caller.ts';
import { createHttpDoor } from '../../src/http/door.ts';
import { findLocalApi } from '../../src/http/local-access.ts';
import type { HttpSettings } from '../../src/http/parts.ts';
import { TokenStore } from '../../src/http/tokens.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Readiness } from '../../src/recording/admission.ts';
import type { AuditEntry, AuditLog } from '../../src/recording/audit.ts';
import type { RecordingControl, RecordingInitiator } from '../../src/recording/control.ts';
import type { RecordingScope } from '../../src/recording/scope.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export interface DoorOptions {
  encoder?: Encoder;
  initiator?: RecordingInitiator;
  settings?: Partial<HttpSettings>;
  control?: RecordingControl;
  readiness?: () => Readiness;
  audit?: (file: AuditLog) => AuditLog;
  /** Default: one that stands still. */
  time?: Clock;
}

export const READY: Readiness = {
  ready: true,
  reasons: [],
  gauges: [{ name: 'recordings', value: 3, refusing: false }],
};

const HEALTH: CaptureHealth = {
  receiver: 'dgram',
  workers: [
    {
      id: 0,
      recordings: 3,
      streams: 6,
      waitingOctets: 17,
      packets: 100,
      dropped: 0,
      lagMs: 2,
      failingJournals: 0,
      packetsPerSecond: 50,
      handOverLagMs: 1,
      writeLagMs: 0,
    },
  ],
  spares: 1,
  deaths: 1,
  ports: { pairs: 100, used: 6, resting: 2 },
};

export async function openDoor(options: DoorOptions = {}) {
  const dataDirectory = await temporaryDirectory();
  const clock = new ManualClock();
  const time = options.time ?? clock;
  const library = new DirectoryLibrary({ dataDirectory, clock: time, log: silentLog });
  await library.prepare();
  const archive = createArchive({
    spoolDirectory: dataDirectory,
    archiveDirectory: dataDirectory,
    nameTemplate: '{start}_{caller}_{id}',
    journal: 'always',
    log: silentLog,
  });
  await archive.prepare();
  const told: AuditEntry[] = [];
  const file = new AuditFile(dataDirectory, time);
  const recorded: AuditLog = {
    write: async (entry) => {
      await file.write(entry);
      told.push(entry);
    },
  };
  const door = createHttpDoor({
    settings: {
      listen: [{ host: '127.0.0.1', port: 0 }],
      hosts: [],
      trustedProxies: [],
      metrics: 'token',
      requestsPerMinute: 100_000,
      outgoingClients: [],
      sessionMs: 12 * 3_600_000,
      sessionIdleMs: 2 * 3_600_000,
      importMaxOctets: 1 << 20,
      ...options.settings,
    },
    dataDirectory,
    library,
    control: options.control ?? null,
    encoder: async () => options.encoder ?? null,
    importer: new Importer({ archive, library, log: silentLog, onFiled: () => {} }),
    initiator: options.initiator ?? null,
    audit: options.audit?.(recorded) ?? recorded,
    readiness: options.readiness ?? (() => READY),
    captureHealth: () => HEALTH,
    refusedRequests: () => ({ scanners: 3, sources: 0 }),
    deliveryQueues: async () => [{ target: 'crm', waiting: 3, oldestMs: null, dead: 1 }],
    workQueues: () => ({ finish: { count: 2, oldestMs: 1_500 }, store: { count: 0, oldestMs: 0 } }),
    clock: time,
    log: silentLog,
  });
  onTestFinished(door.close);
  const { addresses, loginLink, routes } = await door.start();
  const { port } = addresses[0]!;
  const url = `http://127.0.0.1:${port}`;
  const tokens = new TokenStore(dataDirectory, time);
  const local = (await findLocalApi(dataDirectory))!;

  /** With a token, or none. */
  const ask = (path: string, token: string | null, init: RequestInit = {}) =>
    fetch(`${url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers },
    });
  /** With a JSON body. */
  const send = (method: string, path: string, token: string | null, body?: unknown) =>
    ask(path, token, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const newToken = (
    role: Role,
    scope: Partial<RecordingScope> = {},
    name = `${role}-${Math.random().toString(36).slice(2)}`,
  ) =>
    tokens.create({
      name,
      role,
      scope: { parties: [...(scope.parties ?? [])], groups: [...(scope.groups ?? [])] },
      expiresMs: null,
    });

  return {
    dataDirectory,
    clock,
    library,
    told,
    door,
    url,
    port,
    loginLink: loginLink!,
    routes,
    tokens,
    local,
    ask,
    send,
    newToken,
  };
}

export type DoorUnderTest = Awaited<ReturnType<typeof openDoor>>;
