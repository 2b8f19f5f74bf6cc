// What an operator says about a TLS listener, and how a mistake in it is told (RFC 3261 §26.2).

export interface TlsSettings {
  /** PEM file: the listener's certificate, then those of intermediate authorities. */
  certificateFile: string;
  /** PEM file: its private key, not encrypted. */
  keyFile: string;
  /**
   * PEM file with the authorities that peers' certificates must come from, in both directions. Without it servers that
   * we connect to are checked against the system's authorities, and client certificates cannot be asked for.
   */
  authoritiesFile?: string;
  /**
   * `none` (the default): clients are not asked. `request`: they are asked, and what they show is told by
   * Flow.peerCertificate. `require`: without a certificate from one of the authorities there is no connection.
   */
  clientCertificates?: 'none' | 'request' | 'require';
  /**
   * With `require`: only clients whose certificate has one of these names, as common name or as a subject alternative
   * name of any kind (`sbc.example`, `sip:example.com`, `192.0.2.1`). All whose authority is trusted without it.
   */
  clientNames?: readonly string[];
  /** `TLSv1.2` by default. */
  minimumVersion?: 'TLSv1.2' | 'TLSv1.3';
  /**
   * For connections that we open. `verify` (the default): the certificate must come from an authority and be for the
   * host that is meant (RFC 5922 §7). `accept-any`: encrypted, but with whoever answers.
   */
  servers?: 'verify' | 'accept-any';
}

/** A certificate, key or setting that cannot be used; the message names the file and says why. */
export class TlsSetupError extends Error {
  override readonly name = 'TlsSetupError';
  /** Null if the mistake is in the settings themselves. */
  readonly file: string | null;

  constructor(file: string | null, message: string, options?: ErrorOptions) {
    super(message, options);
    this.file = file;
  }
}
