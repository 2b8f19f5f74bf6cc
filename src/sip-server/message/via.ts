// The Via header: who a response goes back to (RFC 3261 §20.42, RFC 3581 rport, RFC 5118 IPv6 forms).
import { parseParams, splitOutside, trimLws } from './scan.ts';

/** One Via value. Never changed: viaWith makes another one. */
export interface Via {
  /** Upper case: UDP, TCP, TLS, … */
  readonly transport: string;
  /** sent-by host, without brackets. */
  readonly host: string;
  readonly port: number | null;
  readonly branch: string | null;
  /** IP address without brackets. */
  readonly received: string | null;
  /** `requested` for a bare `rport`. */
  readonly rport: number | 'requested' | null;
  /** All parameters in their order; keys in lower case, null for a bare name. */
  readonly params: ReadonlyMap<string, string | null>;
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, blanks around the colon allowed. Null if it is none of these. */
export function parseHostPort(text: string): { host: string; port: number | null } | null {
  const match =
    /^(?:\[([0-9A-Fa-f:.]{2,45})(?:%[^\]]{1,32})?\]|([A-Za-z0-9._-]{1,255}))[ \t]*(?::[ \t]*([0-9]{1,5}))?$/.exec(
      trimLws(text),
    );
  if (!match) return null;
  const port = match[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > 65535)) return null;
  return { host: match[1] ?? match[2]!, port };
}

/** An IPv6 address in brackets, everything else as it is. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Reads one Via value (not a comma list). Null if sent-protocol or sent-by cannot be read. */
export function parseVia(text: string): Via | null {
  const parts = splitOutside(text, ';');
  const match = /^SIP[ \t]*\/[ \t]*[0-9]+\.[0-9]+[ \t]*\/[ \t]*([A-Za-z0-9.!%*_+`'~-]+)[ \t]+(\S.*)$/i.exec(parts[0]!);
  const sentBy = match && parseHostPort(match[2]!);
  if (!match || !sentBy) return null;
  return viaFrom(match[1]!.toUpperCase(), sentBy.host, sentBy.port, parseParams(parts.slice(1)));
}

/** The same Via with a parameter set (null: a bare name) or, with undefined, taken away. */
export function viaWith(via: Via, name: string, value: string | null | undefined): Via {
  const params = new Map(via.params);
  if (value === undefined) params.delete(name);
  else params.set(name, value);
  return viaFrom(via.transport, via.host, via.port, params);
}

/** The Via that a client puts on its request, with rport (RFC 3581 §3). */
export function clientVia(transport: string, host: string, port: number, branch: string): Via {
  return viaFrom(
    transport.toUpperCase(),
    host,
    port,
    new Map([
      ['branch', branch],
      ['rport', null],
    ]),
  );
}

export function formatVia(via: Via): string {
  const sentBy = via.port === null ? bracketed(via.host) : `${bracketed(via.host)}:${via.port}`;
  let text = `SIP/2.0/${via.transport} ${sentBy}`;
  for (const [name, value] of via.params) text += value === null ? `;${name}` : `;${name}=${quoteIfNeeded(value)}`;
  return text;
}

function quoteIfNeeded(value: string): string {
  // Besides tokens, Via parameters hold IPv6 addresses (received, RFC 5118 §4.5), bare or bracketed.
  return /^[A-Za-z0-9\-.!%*_+`'~:[\]]*$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

function viaFrom(
  transport: string,
  host: string,
  port: number | null,
  params: ReadonlyMap<string, string | null>,
): Via {
  const rportText = params.get('rport');
  const rport = rportText ? Number(rportText) : null;
  return {
    transport,
    host,
    port,
    branch: params.get('branch') || null,
    received: params.get('received')?.replace(/^\[|\]$/g, '') || null,
    rport: rportText === null ? 'requested' : rport !== null && rport >= 1 && rport <= 65535 ? rport : null,
    params,
  };
}
