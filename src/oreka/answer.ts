// A plain 200 OK (RFC 3261 §8.2.6). FreeSWITCH never reads it; a proxy on the way might want one.
import { firstValue, type OrekaMessage } from './datagram.ts';

const COPIED = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

export function okTo({ headers }: OrekaMessage): Buffer {
  const lines = ['SIP/2.0 200 OK'];
  for (const name of COPIED) {
    const value = firstValue(headers, name.toLowerCase());
    // A value that spans lines keeps its first one: header lines must not be made out of names.
    if (value !== null) lines.push(`${name}: ${value.split(/[\r\n]/)[0]}${name === 'To' ? ';tag=recorder' : ''}`);
  }
  lines.push('Content-Length: 0', '', '');
  return Buffer.from(lines.join('\r\n'));
}
