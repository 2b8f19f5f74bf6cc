// Builds every room, starts them in order, closes them in reverse. The only file that knows all of them.
import { createArchive } from './archive/archive.ts';
import { AuditFile } from './archive/audit-file.ts';
import { DiskThread } from './archive/disk/disk-thread.ts';
import { Encoder } from './archive/formats/encoder.ts';
import { Importer } from './archive/importer.ts';
import { openStorage } from './archive/places.ts';
import { storageError } from './archive/storage-error.ts';
import { createCapture } from './capture/capture-engine.ts';
import { accessOptions } from './config/access-options.ts';
import { formatHostPort, parseOrekaListener, parsePortRange } from './config/addresses.ts';
import { httpSettings } from './config/http-settings.ts';
import { openNews } from './config/news.ts';
import { openIndex, startSweeper } from './config/open-index.ts';
import { recorderDatabase } from './config/recorder-database.ts';
import { rtpBindAddress } from './config/rtp-address.ts';
import type { Config } from './config/schema.ts';
import { storagePlaces } from './config/storage-places.ts';
import { storeMirror } from './config/store-mirror.ts';
import { encryptionOf, storeCopies, storedFiles } from './config/stored-files.ts';
import { openUpkeep } from './config/upkeep.ts';
import type { HttpDoor } from './http/door.ts';
import { anchoredClock } from './lib/clock.ts';
import { continuedAnchor, originOf } from './lib/clock-origin.ts';
import { closeOnce } from './lib/close.ts';
import { cachedLocalAddress } from './lib/local-address.ts';
import type { Log } from './lib/log.ts';
import { createOrekaDoor } from './oreka/door.ts';
import type { RecordingDocument } from './recording/document.ts';
import { Finisher } from './recording/finisher.ts';
import { LiveRecorder } from './recording/recorder.ts';
import { recoverSessions } from './recording/recover.ts';
import { RecordingRules } from './recording/rules.ts';
import type { EndReason } from './recording/session-state.ts';
import { journalledSessions } from './recover/rebuild.ts';
import { createRenderer } from './render/renderer.ts';
import { isDialogState, startSignalling } from './signalling.ts';
import { AccessGate } from './siprec/access/gate.ts';
import { screenOf } from './siprec/access/screen.ts';
import { createSiprecDoor, restorableSessions } from './siprec/door.ts';

export interface App {
  /** `udp:127.0.0.1:5060`, … as bound; of the drachtio server when that is external. */
  sipAddresses: string[];
  /** `127.0.0.1:15060`, … as bound, for mod_oreka. */
  orekaAddresses: string[];
  /** `http://127.0.0.1:8060`, … as bound. */
  httpAddresses: string[];
  /** Logs one browser in, within a quarter of an hour; null without the HTTP API. Not for the log. */
  loginLink: string | null;
  /** Recordings that a previous process left and this one finishes. */
  recovered: number;
  /** Recordings that a previous process left and this one goes on with. */
  resumed: number;
  /** How media is received. */
  receiver: 'linux' | 'dgram';
  readonly activeRecordings: number;
  /** Recordings sealed but not filed yet. */
  readonly unfinishedRecordings: number;
  /** Refuses new calls, waits for the running ones up to `shutdown.drainSeconds`, ends the rest, renders for up to `shutdown.finishSeconds`, closes. */
  drain(): Promise<void>;
  /** Ends every running recording now, leaves the rendering to the next start, closes. Idempotent; may overtake `drain`. */
  stopNow(): Promise<void>;
  /** Resolves when nothing sealed is left to render and file. */
  finished(): Promise<void>;
}

export interface AppOptions {
  log: Log;
  onFiled?: (filed: { directory: string; document: RecordingDocument }) => void;
}

/** Rejects with a RecorderError that says what to do; whatever had been started by then is closed again. */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const { log } = options;
  const closers: (() => Promise<void>)[] = [];
  const closeAll = closeOnce(async () => {
    for (const close of closers.toReversed()) {
      await close().catch((error) => log.error({ err: error }, 'a part did not close cleanly'));
    }
  });

  let httpDoor: HttpDoor | undefined;
  try {
    const places = storagePlaces(config);
    const storage = await openStorage(places);
    closers.push(() => storage.close());

    const database = recorderDatabase(config.index, places.archive, { log, wallMs: Date.now() });
    closers.push(() => database.close());
    const copies = await storeCopies(config);
    const index = openIndex(config, database, storedFiles(config, copies), log);
    closers.push(() => index.close());
    const news = openNews({ config, database, index, product: 'sipreel', log });
    closers.push(() => news.close());
    const encryption = encryptionOf(config);
    await encryption?.ready().catch((err) => log.error({ err }, NO_MASTER_KEY));
    const disk = new DiskThread('filing');
    const spoolDisk = new DiskThread('spool');
    closers.push(async () => void (await Promise.all([disk.close(), spoolDisk.close()])));
    const rules = new RecordingRules(config.rules.list, config.rules.ours);
    const files = createArchive({
      spoolDirectory: places.spool,
      archiveDirectory: places.archive,
      nameTemplate: config.storage.name,
      journal: config.storage.journal,
      encryption,
      journalled: journalledSessions(rules),
      log,
      disk,
      spoolDisk,
    });
    await files.prepare().catch(async (error) => {
      throw await storageError(error, places.data);
    });

    await index.keeper.prepare(news.companion);
    await index.library.prepare();
    const mirror = storeMirror(config, copies, index, log);
    closers.push(async () => mirror?.close());
    await mirror?.start();
    // Asking it what it can do takes a program's start.
    let found: Promise<Encoder | null> | undefined;
    const findEncoder = () => (found ??= Encoder.find());
    const encoder = config.audio.formats.length > 0 ? await findEncoder() : null;
    let isBusy = () => true;
    const upkeep = openUpkeep(config, { index, mirror, encoder, isBusy: () => isBusy(), log });
    closers.push(() => upkeep.close());
    await upkeep.prepare();
    const stored = mirror ? mirror.mirrored(index.indexed(files)) : index.indexed(files);
    const indexed = upkeep.attended(stored);
    const archive = news.archive(indexed);
    const onFiled = (filed: { directory: string; document: RecordingDocument }) => {
      httpDoor?.filed(filed.document);
      options.onFiled?.(filed);
    };

    const sessions = await archive.unfinishedSessions();
    // Timers and media go by one clock, which counts on where the last process's left off.
    const anchor = continuedAnchor(sessions);
    const clock = anchoredClock(anchor);

    const renderer = createRenderer({ log, concurrency: config.audio.renderers });
    closers.push(() => renderer.close());
    const finisher = new Finisher({
      render: renderer,
      archive,
      clock,
      log,
      audio: { layout: config.audio.layout, sampleRateHz: config.audio.sampleRateHz },
      rules,
      concurrency: config.audio.renderers,
      onFiled,
    });
    closers.push(() => finisher.close());

    const capture = createCapture({
      receiver: config.rtp.receiver,
      bindAddress: rtpBindAddress(config),
      ...(config.rtp.mediaAddress === null ? {} : { localHost: config.rtp.mediaAddress }),
      portRange: parsePortRange(config.rtp.ports)!,
      ...(config.rtp.workers === 0 ? {} : { workers: config.rtp.workers }),
      anchor,
      clock,
      log,
      restMs: config.rtp.restSeconds * 1000,
      rtcpReports: config.rtp.receiverReports,
      sync: syncPolicy(config.storage),
    });
    closers.push(() => capture.close());
    await capture.start();

    const { limits } = config;
    const recordingLimits = {
      inactivityMs: limits.inactivitySeconds * 1000,
      holdInactivityMs: limits.holdInactivitySeconds * 1000,
      maxDurationMs: limits.maxDurationSeconds * 1000,
    };
    const recorder = new LiveRecorder({
      capture,
      archive,
      finisher,
      rules,
      news: news.recordings,
      clock,
      clockOrigin: originOf(anchor),
      log,
      limits: {
        maxRecordings: limits.recordings,
        floorMiB: config.storage.floorMiB,
        floorPercent: config.storage.floorPercent,
        reservePerRecordingMiB: config.storage.reservePerRecordingMiB,
        ...recordingLimits,
      },
    });
    closers.push(async () => recorder.close());
    isBusy = () => !recorder.readiness().ready;
    await recorder.watch();
    const doorsToTell = new Map<string, (reason: EndReason) => void>();
    const { resumed, finished } = await recoverSessions(sessions, {
      archive,
      recorder,
      finisher,
      clock,
      log,
      limits: recordingLimits,
      isAnswered: ({ source, door }) => source !== 'siprec' || restorableSessions(door).length > 0,
      onEnded: (recordingId, reason) => doorsToTell.get(recordingId)?.(reason),
    });

    const access = new AccessGate({ ...accessOptions(config), clock, log });
    const dialogs = resumed.flatMap(({ door }) => restorableSessions(door).map(({ sipDialog }) => sipDialog));
    const signalling = await startSignalling(config, screenOf(access), log, closers, dialogs.filter(isDialogState));
    const localAddress = cachedLocalAddress(() => clock.nowMs());
    const door = createSiprecDoor({
      srf: signalling.connection.srf,
      recorder,
      access,
      clock,
      log,
      answerDelayMs: config.sip.answerDelayMs,
      acceptPlainCalls: config.sip.acceptPlainCalls,
      credentials: config.sip.credentials,
      mediaAddress: config.rtp.mediaAddress ?? mediaAddressFor(rtpBindAddress(config), localAddress),
      dialogState: signalling.dialogState,
    });
    closers.push(() => door.close());
    for (const [recordingId, ended] of door.restore(resumed)) doorsToTell.set(recordingId, ended);
    door.start();

    const orekaDoor = createOrekaDoor({
      recorder,
      listeners: config.oreka.listen.map((text) => parseOrekaListener(text)!),
      allowedSources: config.oreka.allowedSources,
      answer: config.oreka.answer,
      byeGraceMs: config.oreka.byeGraceSeconds * 1000,
      inactivityMs: config.oreka.inactivitySeconds * 1000,
      clock,
      log,
    });
    closers.push(() => orekaDoor.close());
    for (const [recordingId, ended] of orekaDoor.restore(resumed)) doorsToTell.set(recordingId, ended);
    const orekaAddresses = (await orekaDoor.start()).map(formatHostPort);

    const audit = new AuditFile(places.data, clock);
    const sweeper = startSweeper(config, { index, audit, clock, log });
    closers.push(() => sweeper.close());

    if (config.http.listen.length > 0) {
      // Only now: its libraries are half of what a start has to load.
      const { createHttpDoor } = await import('./http/door.ts');
      httpDoor = createHttpDoor({
        settings: httpSettings(config),
        dataDirectory: places.data,
        library: index.library,
        control: recorder,
        importer: new Importer({ archive: indexed, library: index.library, log, onFiled }),
        initiator: door,
        encoder: findEncoder,
        audit,
        readiness: () => recorder.readiness(),
        captureHealth: () => capture.health(),
        refusedRequests: () => ({ ...access.counters, unseen: signalling.unseen() }),
        deliveryQueues: () => news.queues(),
        workQueues: () => ({
          finish: finisher.figures(),
          ...(mirror && { store: mirror.figures() }),
          ...(encoder && { formats: upkeep.figures() }),
        }),
        clock,
        log,
      });
      closers.push(httpDoor.close);
    }
    const http = await httpDoor?.start();
    news.start();
    await upkeep.start();

    const end = closeOnce(async () => {
      await recorder.stopAll('stopped');
      await closeAll();
    });
    return {
      sipAddresses: signalling.sipAddresses,
      orekaAddresses,
      httpAddresses: http?.addresses.map((address) => `http://${formatHostPort(address)}`) ?? [],
      loginLink: http?.loginLink ?? null,
      recovered: finished,
      resumed: resumed.length,
      receiver: capture.health().receiver,
      get activeRecordings() {
        return recorder.activeRecordings;
      },
      get unfinishedRecordings() {
        return finisher.pending;
      },
      async drain() {
        await within(config.shutdown.drainSeconds * 1000, recorder.drain());
        await recorder.stopAll('stopped');
        await within(config.shutdown.finishSeconds * 1000, finisher.idle());
        await end();
      },
      stopNow: end,
      finished: () => finisher.idle(),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const NO_MASTER_KEY = 'no master key: finished recordings wait in the spool, not encrypted, until there is one';

/** How much a power loss may cost. */
function syncPolicy({ sync, syncIntervalMs }: Config['storage']) {
  return sync === 'interval' ? { everyMs: syncIntervalMs } : sync;
}

/** Bound to one address: that one. Bound to all: the one that faces the client. */
function mediaAddressFor(bindAddress: string, localAddress: (peerHost: string) => Promise<string>) {
  return bindAddress === '0.0.0.0' || bindAddress === '::' ? localAddress : bindAddress;
}

/** Waits for `work`, but no longer than that. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolveLimit) => {
    timer = setTimeout(resolveLimit, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
