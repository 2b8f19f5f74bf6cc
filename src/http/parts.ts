// What the HTTP door needs of the rest, and its settings.
import type { Encoder } from '../archive/formats/encoder.ts';
import type { Importer } from '../archive/importer.ts';
import type { CaptureHealth } from '../capture/capture-engine.ts';
import type { DeliveryQueue } from '../delivery/outbox.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Readiness } from '../recording/admission.ts';
import type { AuditLog } from '../recording/audit.ts';
import type { RecordingControl, RecordingInitiator } from '../recording/control.ts';
import type { RecordingLibrary } from '../recording/library.ts';
import type { WorkQueues } from './live-gauges.ts';

export interface HttpSettings {
  listen: { host: string; port: number }[];
  /** Further names under which the door is reached, lower case. */
  hosts: string[];
  /** Addresses and networks of proxies whose X-Forwarded-For and -Proto are believed. */
  trustedProxies: string[];
  /** Whether /metrics is given to everybody. */
  metrics: 'token' | 'open';
  /** Of one token, page session or, without either, address. */
  requestsPerMinute: number;
  /** Recording clients that we may be told to call: addresses, networks, host names. */
  outgoingClients: string[];
  sessionMs: number;
  sessionIdleMs: number;
  /** The largest file that is taken by import. */
  importMaxOctets: number;
}

export interface HttpParts {
  settings: HttpSettings;
  dataDirectory: string;
  library: RecordingLibrary;
  /** Null: running recordings cannot be listed or controlled, and there are no routes for it. */
  control: RecordingControl | null;
  /** Null: nothing can be handed in. */
  importer: Importer | null;
  /** Null: no recording can be begun from here, and there is no route for it. */
  initiator: RecordingInitiator | null;
  /** For audio in formats that are not stored, looked for when somebody wants one; null: there is none. */
  encoder: () => Promise<Encoder | null>;
  audit: AuditLog;
  readiness: () => Readiness;
  captureHealth: () => CaptureHealth;
  /** SIP requests that access control refused or dropped since the start, by reason. */
  refusedRequests: () => Record<string, number>;
  /** May reject with DATABASE_FAILED. */
  deliveryQueues: () => Promise<DeliveryQueue[]>;
  /** What is done to recordings in the background. */
  workQueues: () => WorkQueues;
  clock: Clock;
  log: Log;
}
