// What a datagram on a media port is, by its first two octets (RFC 7983 §7, RFC 5761 §4).

/** `noise` is everything that no protocol claims: CRLF keepalives, empty datagrams, scans. */
export type DatagramKind = 'rtp' | 'rtcp' | 'stun' | 'zrtp' | 'dtls' | 'turn' | 'noise';

//              +----------------+
//              |        [0..3] -+--> STUN
//              |      [16..19] -+--> ZRTP
//  datagram -->|      [20..63] -+--> DTLS
//              |      [64..79] -+--> TURN channel
//              |    [128..191] -+--> RTP or RTCP: RTCP if the second octet is 192..223
//              +----------------+

/** Looks at two octets only; RTP and RTCP still have to be read to know that they are valid. Allocates nothing. */
export function classifyDatagram(buffer: Uint8Array, start: number, end: number): DatagramKind {
  if (end - start < 2) return 'noise';
  const first = buffer[start]!;
  if (first >= 128 && first <= 191) {
    const second = buffer[start + 1]!;
    return second >= 192 && second <= 223 ? 'rtcp' : 'rtp';
  }
  if (first <= 3) return 'stun';
  if (first >= 20 && first <= 63) return 'dtls';
  if (first >= 16 && first <= 19) return 'zrtp';
  if (first >= 64 && first <= 79) return 'turn';
  return 'noise';
}
