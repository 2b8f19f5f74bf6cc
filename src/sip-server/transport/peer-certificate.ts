// Who is at the other end of a TLS connection, and whether a certificate is for a host (RFC 5922 §7.1, §7.2).
import { isIP } from 'node:net';
import type { PeerCertificate as NodeCertificate, TLSSocket } from 'node:tls';
import { parseSipUri } from '../message/uri.ts';
import { canonicalHost } from './addresses.ts';

export interface PeerCertificate {
  /** The subject's common name; null if it has none or several. */
  commonName: string | null;
  /** Subject alternative names as `DNS:a.example`, `URI:sip:a.example`, `IP Address:192.0.2.1`. */
  altNames: readonly string[];
  /** True if it comes from one of the listener's authorities and is valid. Only then the names mean anything. */
  authorized: boolean;
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  fingerprint256: string;
}

/** Null if the peer has shown none. The handshake must be over. */
export function readPeerCertificate(socket: TLSSocket): PeerCertificate | null {
  const certificate = socket.getPeerCertificate();
  // Node says `authorized` of a resumed session without any certificate.
  if (!certificate?.fingerprint256) return null;
  return {
    ...namesOf(certificate),
    authorized: socket.authorized,
    fingerprint256: certificate.fingerprint256,
  };
}

export function namesOf(certificate: Pick<NodeCertificate, 'subject' | 'subjectaltname'>): CertificateNames {
  const commonName: unknown = certificate.subject?.CN;
  return {
    commonName: typeof commonName === 'string' ? commonName : null,
    altNames: splitAltNames(certificate.subjectaltname ?? ''),
  };
}

export type CertificateNames = Pick<PeerCertificate, 'commonName' | 'altNames'>;

/**
 * True if the names are those of `host`, an IP address or a name. A SIP URI counts more than DNS names, these more than
 * the common name; wildcards match nothing (RFC 5922 §7.2). Who has signed them is not looked at.
 */
export function isCertificateFor({ commonName, altNames }: CertificateNames, host: string): boolean {
  const wanted = canonicalHost(host);
  if (isIP(wanted)) return valuesOf(altNames, 'IP Address').some((address) => canonicalHost(address) === wanted);
  const domains = valuesOf(altNames, 'URI').flatMap(sipDomain);
  const names = domains.length > 0 ? domains : valuesOf(altNames, 'DNS');
  if (altNames.length === 0 && commonName !== null) return canonicalHost(commonName) === wanted;
  return names.some((name) => canonicalHost(name) === wanted);
}

/** True if one of `wanted` is the common name or a subject alternative name of any kind, whatever its case. */
export function hasOneOfNames({ commonName, altNames }: CertificateNames, wanted: readonly string[]): boolean {
  const names = altNames.map((name) => name.slice(name.indexOf(':') + 1));
  if (commonName !== null) names.push(commonName);
  const canonical = new Set(names.map(canonicalHost));
  return wanted.some((name) => canonical.has(canonicalHost(name)));
}

/** §7.1: only `sip`, and only without a user. */
function sipDomain(text: string): string[] {
  const uri = parseSipUri(text);
  return uri?.scheme === 'sip' && uri.user === null ? [uri.host] : [];
}

function valuesOf(altNames: readonly string[], type: string): string[] {
  return altNames.filter((name) => name.startsWith(`${type}:`)).map((name) => name.slice(type.length + 1));
}

/** Node quotes a value that could be taken for several, as a JSON string. */
function splitAltNames(text: string): string[] {
  return [...text.matchAll(/([A-Za-z ]{1,32}):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, type, value]) => {
    return `${type}:${value!.startsWith('"') ? unquote(value!) : value}`;
  });
}

function unquote(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
