// Reading a listener's certificate, key and authorities, so that a mistake is found here and not in a handshake.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { type TlsSettings, TlsSetupError } from './tls-settings.ts';

export interface PemFiles {
  certificate: string;
  key: string;
  /** One PEM block each; undefined if no file is set. */
  authorities: string[] | undefined;
  /** SHA-256 of the certificate. */
  fingerprint256: string;
  /** Unix ms. */
  notBeforeMs: number;
  notAfterMs: number;
}

const MAX_FILE_BYTES = 4_194_304;

/** Rejects with a TlsSetupError. */
export async function readPemFiles(settings: TlsSettings): Promise<PemFiles> {
  const { certificateFile, keyFile, authoritiesFile } = settings;
  const certificate = await readText('certificate', certificateFile);
  const key = await readText('key', keyFile);
  const authorities =
    authoritiesFile === undefined
      ? undefined
      : splitAuthorities(authoritiesFile, await readText('authorities', authoritiesFile));
  const leaf = parse('certificate', certificateFile, () => new X509Certificate(certificate));
  const privateKey: KeyObject = parse('key', keyFile, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new TlsSetupError(
      keyFile,
      `The TLS key file ${keyFile} does not belong to the certificate in ${certificateFile}.`,
    );
  }
  return {
    certificate,
    key,
    authorities,
    fingerprint256: leaf.fingerprint256,
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
  };
}

/** Changes whenever one of the files does, as far as the file system tells. Never rejects. */
export async function fileSignature(settings: TlsSettings): Promise<string> {
  const files = [settings.certificateFile, settings.keyFile, settings.authoritiesFile ?? ''].filter(Boolean);
  const marks = files.map(async (file) => {
    try {
      // The inode tells a file that was moved here with its old time and the same size.
      const { ino, mtimeMs, size } = await stat(file);
      return `${ino} ${mtimeMs} ${size}`;
    } catch (error) {
      return reasonOf(error);
    }
  });
  return (await Promise.all(marks)).join('|');
}

function splitAuthorities(file: string, text: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  if (blocks.length === 0) throw new TlsSetupError(file, `The TLS authorities file ${file} holds no certificate.`);
  for (const block of blocks) parse('authorities', file, () => new X509Certificate(block));
  return blocks;
}

async function readText(what: string, file: string): Promise<string> {
  try {
    const found = await stat(file);
    // Opening a pipe could wait for ever.
    if (!found.isFile()) throw new Error('it is not a file');
    if (found.size > MAX_FILE_BYTES) throw new Error(`it has ${found.size} bytes`);
    return await readFile(file, 'latin1');
  } catch (error) {
    throw unusable(what, file, error);
  }
}

function parse<T>(what: string, file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unusable(what, file, error);
  }
}

function unusable(what: string, file: string, error: unknown): TlsSetupError {
  return new TlsSetupError(file, `The TLS ${what} file ${file} cannot be used: ${reasonOf(error)}.`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  ERR_OSSL_PEM_NO_START_LINE: 'it holds no such PEM block',
  ERR_MISSING_PASSPHRASE: 'it is encrypted',
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'it is encrypted',
  ERR_OSSL_UNSUPPORTED: 'it holds no such PEM block',
};

/** OpenSSL's own words begin with numbers that help nobody. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known = REASONS[code ?? ''];
  if (known) return known;
  return message.replace(/^error:[0-9A-F]+:/, '').replace(/\.$/, '');
}
