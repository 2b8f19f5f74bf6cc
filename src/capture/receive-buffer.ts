// How much the kernel keeps for a socket that is not read.

/**
 * Asked for per socket; Linux grants twice that, for its own bookkeeping, and up to twice net.core.rmem_max. Sized for the
 * worst stall that we expect of a thread, 4 s, of a stream of 100 packets per second: each takes up to 2,304 octets of the
 * buffer with an ordinary network card, 768 on loopback. It is a limit: memory is taken only for what waits.
 */
export const RECEIVE_BUFFER_OCTETS = 512 << 10;

/** What one packet of telephony may take of a socket's buffer. */
export const PACKET_ROOM_OCTETS = 2304;
