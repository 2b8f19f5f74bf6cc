// The HTTP door: the API, its documentation, health and figures. Put together and opened here.

import { closeOnce } from '../lib/close.ts';
import type { RecordingDocument } from '../recording/document.ts';
import { isLoopback } from './host-check.ts';
import { type Listeners, listen } from './listeners.ts';
import { LiveEars } from './live-ears.ts';
import { LocalAccess } from './local-access.ts';
import { Metrics } from './metrics.ts';
import type { HttpParts } from './parts.ts';
import { annotationRoutes } from './routes/annotations.ts';
import { fileRoutes } from './routes/files.ts';
import { healthRoutes } from './routes/health.ts';
import { importRoutes } from './routes/import.ts';
import { listenRoutes } from './routes/listen.ts';
import { liveRoutes } from './routes/live.ts';
import { pageRoutes } from './routes/page.ts';
import { recordRoutes } from './routes/record.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { sessionRoutes } from './routes/session.ts';
import { vconRoutes } from './routes/vcon.ts';
import { waveformRoutes } from './routes/waveform.ts';
import { createServer, type RouteEntry } from './server.ts';
import { Sessions } from './sessions.ts';
import { TokenStore } from './tokens.ts';
import { VERSION } from './version.ts';

export interface HttpDoor {
  /** Listens. Rejects with LISTEN_FAILED or STORAGE_FAILED; call `close` then too. */
  start(): Promise<OpenHttpDoor>;
  /** For the figures. */
  filed(document: RecordingDocument): void;
  /** Running downloads get two seconds. Idempotent. */
  close(): Promise<void>;
}

export interface OpenHttpDoor {
  addresses: { host: string; port: number }[];
  /** A link for this machine that logs one browser in, within a quarter of an hour. Null without a listener. */
  loginLink: string | null;
  /** Every route and who may use it. */
  routes: readonly RouteEntry[];
}

export function createHttpDoor(parts: HttpParts): HttpDoor {
  const { settings, dataDirectory, clock, log, library, control, audit } = parts;
  const tokens = new TokenStore(dataDirectory, clock);
  const sessions = new Sessions(clock, { maxAgeMs: settings.sessionMs, maxIdleMs: settings.sessionIdleMs });
  const local = new LocalAccess(dataDirectory, clock);
  const doormen = { tokens, sessions, local };
  const metrics = new Metrics(parts, VERSION);
  const closers: (() => Promise<void>)[] = [];

  return {
    async start() {
      if (settings.listen.length === 0) return { addresses: [], loginLink: null, routes: [] };
      const { server, routes } = await createServer(parts, doormen);
      closers.push(async () => server.close());
      recordingRoutes(server, library);
      fileRoutes(server, library, parts.encoder, audit);
      waveformRoutes(server, library);
      vconRoutes(server, library, audit);
      annotationRoutes(server, library, audit);
      if (control) {
        const ears = new LiveEars(control, clock, log);
        closers.push(async () => ears.close());
        liveRoutes(server, control, audit);
        listenRoutes(server, { control, ears, doormen, audit, clock });
      }
      if (parts.initiator) recordRoutes(server, parts.initiator, settings.outgoingClients, audit);
      sessionRoutes(server, doormen, audit, settings.sessionMs);
      if (parts.importer)
        importRoutes(server, { ...parts, importer: parts.importer, maxOctets: settings.importMaxOctets });
      healthRoutes(server, parts.readiness, metrics, settings.metrics === 'open' ? 'public' : 'listen');
      await pageRoutes(server);
      await server.ready();

      const listeners: Listeners = await listen(settings.listen, (request, response) =>
        server.routing(request, response),
      );
      closers.push(() => listeners.close());
      const url = urlOf(listeners.addresses[0]!);
      await local.publish(url);
      closers.push(() => local.withdraw());
      if (listeners.addresses.some(({ host }) => !isLoopback(host)) && (await tokens.valid()).length === 0) {
        log.warn(
          {},
          'the HTTP API can be reached from the network, but there is no token: make one with "sipreel token create"',
        );
      }
      return { addresses: listeners.addresses, loginLink: `${url}/#login=${local.newCode()}`, routes };
    },
    filed: (document) => metrics.filed(document),
    close: closeOnce(async () => {
      for (const close of closers.toReversed()) await close();
    }),
  };
}

/** Of a listener on all addresses: over loopback. */
function urlOf({ host, port }: { host: string; port: number }): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}
