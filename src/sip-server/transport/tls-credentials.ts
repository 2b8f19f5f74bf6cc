// The certificate and key of a TLS listener, read again when their files change.
//
//   loading ──unusable──> error at the start
//      └──> current ──files changed──> loading again ──unusable──> current stays, and the log says why
import { constants } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import { fileSignature, type PemFiles, readPemFiles, reasonOf } from './pem-files.ts';
import { type TlsSettings, TlsSetupError } from './tls-settings.ts';

export interface TlsCredentialsOptions {
  settings: TlsSettings;
  log: Log;
  clock: Clock;
  /** How often the files are looked at. */
  checkMs: number;
}

interface Loaded {
  /** For accepting. */
  server: SecureContextOptions;
  /** For connecting. */
  client: SecureContext;
  fingerprint256: string;
}

export class TlsCredentials {
  readonly #options: TlsCredentialsOptions;
  readonly #timers: Timers<'check'>;
  #loaded: Loaded;
  /** Of the files as they were last tried, whether they could be used or not. */
  #signature: string;
  #closed = false;
  /** Called after a renewal. */
  onRenewed: (() => void) | null = null;

  private constructor(options: TlsCredentialsOptions, loaded: Loaded, signature: string) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#loaded = loaded;
    this.#signature = signature;
    this.#watch();
  }

  /** Rejects with a TlsSetupError. */
  static async load(options: TlsCredentialsOptions): Promise<TlsCredentials> {
    const { settings } = options;
    if ((settings.clientCertificates ?? 'none') !== 'none' && settings.authoritiesFile === undefined) {
      throw new TlsSetupError(null, 'Client certificates can only be asked for with a TLS authorities file.');
    }
    const signature = await fileSignature(settings);
    return new TlsCredentials(options, await makeContexts(options), signature);
  }

  get server(): SecureContextOptions {
    return this.#loaded.server;
  }

  get client(): SecureContext {
    return this.#loaded.client;
  }

  close(): void {
    this.#closed = true;
    this.#timers.clearAll();
  }

  #watch(): void {
    if (!this.#closed) this.#timers.set('check', this.#options.checkMs, () => void this.#check());
  }

  async #check(): Promise<void> {
    const { settings, log } = this.#options;
    // Taken before reading: what changes in between is seen the next time.
    const signature = await fileSignature(settings);
    if (!this.#closed && signature !== this.#signature) {
      this.#signature = signature;
      try {
        const loaded = await makeContexts(this.#options);
        if (!this.#closed) this.#renew(loaded);
      } catch (error) {
        log.error({ err: error }, 'the new TLS certificate cannot be used, the old one stays');
      }
    }
    this.#watch();
  }

  #renew(loaded: Loaded): void {
    this.#loaded = loaded;
    this.onRenewed?.();
    const { certificateFile } = this.#options.settings;
    this.#options.log.info(
      { certificateFile, fingerprint256: loaded.fingerprint256 },
      'the TLS certificate was renewed',
    );
  }
}

async function makeContexts({ settings, log, clock }: TlsCredentialsOptions): Promise<Loaded> {
  const files = await readPemFiles(settings);
  const common: SecureContextOptions = {
    cert: files.certificate,
    key: files.key,
    minVersion: settings.minimumVersion ?? 'TLSv1.2',
    // Without tickets no session is resumed: a resumed one would not show the peer's certificate again, and SIP
    // connections live too long to gain by it.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
  };
  const asksClients = (settings.clientCertificates ?? 'none') !== 'none';
  const trusted = settings.servers === 'accept-any' ? undefined : (files.authorities ?? systemAuthorities());
  try {
    const server = { ...common, ...(asksClients ? { ca: files.authorities } : {}) };
    // Fails where the listener would fail.
    createSecureContext(server);
    const client = createSecureContext({ ...common, ...(trusted ? { ca: trusted } : {}) });
    warnOfDates(files, settings.certificateFile, log, clock);
    return { server, client, fingerprint256: files.fingerprint256 };
  } catch (error) {
    const file = settings.certificateFile;
    throw new TlsSetupError(file, `The TLS certificate file ${file} cannot be used: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

/** Where the system keeps none, as in a bare container, those that come with Node. */
function systemAuthorities(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

function warnOfDates({ notBeforeMs, notAfterMs }: PemFiles, certificateFile: string, log: Log, clock: Clock): void {
  const nowMs = clock.wallMs();
  if (notAfterMs < nowMs) log.warn({ certificateFile }, 'the TLS certificate has expired');
  else if (notBeforeMs > nowMs) log.warn({ certificateFile }, 'the TLS certificate is not valid yet');
}
