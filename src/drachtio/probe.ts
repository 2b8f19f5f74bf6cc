// Asks an address whether a drachtio server answers there and takes our secret. drachtio-srf cannot tell the reasons apart:
// it retries a wrong secret for ever and throws on bytes that are not its protocol.
import { connect } from 'node:net';
import { RecorderError } from '../lib/errors.ts';

const PROBE_ID = 'sipreel-probe';
const MAX_REPLY_OCTETS = 16_384;
const OLDEST_VERSION = [0, 8] as const;

export interface DrachtioAddress {
  host: string;
  port: number;
  secret: string;
}

/**
 * Resolves with the server's version token (`v0.9.10…`). Rejects with DRACHTIO_UNREACHABLE (no connection, no answer),
 * DRACHTIO_REFUSED (secret) or DRACHTIO_UNSUITABLE (something else answers, or it is too old).
 */
export function probeDrachtio(address: DrachtioAddress, timeoutMs: number): Promise<string> {
  const { host, port, secret } = address;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let received = '';
    const finish = (outcome: RecorderError | string) => {
      clearTimeout(timer);
      socket.destroy();
      if (typeof outcome === 'string') resolve(outcome);
      else reject(outcome);
    };
    const unreachable = (detail: string) =>
      finish(new RecorderError('DRACHTIO_UNREACHABLE', `${host}:${port}: ${detail}.`));
    const timer = setTimeout(() => unreachable(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.setEncoding('utf8');
    socket.on('error', (error: NodeJS.ErrnoException) => unreachable(error.code ?? error.message));
    socket.on('close', () => unreachable('the connection was closed without an answer'));
    socket.on('connect', () => {
      const payload = `${PROBE_ID}|authenticate|${secret}|`;
      socket.write(`${Buffer.byteLength(payload)}#${payload}`);
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
      const verdict = readReply(received, `${host}:${port}`);
      if (verdict !== null) finish(verdict);
    });
  });
}

/** Null while more bytes are needed. */
function readReply(received: string, where: string): RecorderError | string | null {
  const frame = /^(\d{1,5})#([\s\S]*)$/.exec(received);
  if (!frame) {
    const stillPossible = /^\d{0,5}$/.test(received);
    return stillPossible ? null : new RecorderError('DRACHTIO_UNSUITABLE', `${where} speaks another protocol.`);
  }
  const payload = frame[2] ?? '';
  if (Buffer.byteLength(payload) < Number(frame[1])) {
    return received.length > MAX_REPLY_OCTETS
      ? new RecorderError('DRACHTIO_UNSUITABLE', `${where} sent too long an answer.`)
      : null;
  }
  const [, type, inReplyTo, verdict, ...rest] = payload.split('|');
  if (type !== 'response' || inReplyTo !== PROBE_ID) {
    return new RecorderError('DRACHTIO_UNSUITABLE', `${where} gave an unexpected answer.`);
  }
  if (verdict !== 'OK') return new RecorderError('DRACHTIO_REFUSED', `${where} says: ${rest.join(' ')}`);
  const version = rest[1] ?? '';
  if (!recentEnough(version)) return new RecorderError('DRACHTIO_UNSUITABLE', `${where} has version "${version}".`);
  return version;
}

function recentEnough(version: string): boolean {
  const match = /^v(\d+)\.(\d+)/.exec(version);
  if (!match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
}
