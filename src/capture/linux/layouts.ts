// Where the fields of the kernel's structures lie, on 64-bit little-endian Linux. All offsets and sizes in octets.
//
// They are the same on x64 and arm64 but for epoll_event, which is packed on x64 alone, and the same for glibc and musl:
// the kernel's binary interface. Numbers are in host order (little-endian) unless marked BE.

/** struct sockaddr_in (ip(7)); `family` and `port` lie likewise in sockaddr_in6, so the first word tells both.
 *
 *    0         2         4                   8                16
 *   +---------+---------+-------------------+-----------------+
 *   | family  | port BE | address BE        | zero            |
 *   +---------+---------+-------------------+-----------------+
 */
export const SOCKADDR_IN = { family: 0, port: 2, address: 4, octets: 16 } as const;

/** struct sockaddr_in6 (ipv6(7)).
 *
 *    0         2         4                   8                24                  28
 *   +---------+---------+-------------------+----------------+-------------------+
 *   | family  | port BE | flow information  | address BE     | scope id          |
 *   +---------+---------+-------------------+----------------+-------------------+
 */
export const SOCKADDR_IN6 = { family: 0, port: 2, flowInformation: 4, address: 8, scopeId: 24, octets: 28 } as const;

/** struct iovec (readv(2)).
 *
 *    0                   8                  16
 *   +-------------------+-------------------+
 *   | base (pointer)    | length            |
 *   +-------------------+-------------------+
 */
export const IOVEC = { base: 0, length: 8, octets: 16 } as const;

/** struct mmsghdr (recvmmsg(2)), which begins with a struct msghdr (recvmsg(2)). `..` is padding. The kernel writes back
 * name length, control length, flags and message length. musl declares two of the 64-bit lengths as 32 bits and padding.
 *
 *    0                   8                   16                  24                  32
 *   +-------------------+---------+---------+-------------------+-------------------+
 *   | name (pointer)    | name len|   ..    | iovecs (pointer)  | iovec count       |
 *   +-------------------+---------+---------+---------+---------+---------+---------+
 *   | control (pointer) | control length    | flags   |   ..    | msg len |   ..    |
 *   +-------------------+-------------------+---------+---------+---------+---------+
 *    32                  40                  48        52        56        60       64
 */
export const MMSGHDR = {
  name: 0,
  nameLength: 8,
  iovecs: 16,
  iovecCount: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  messageLength: 56,
  octets: 64,
} as const;

/** struct cmsghdr (cmsg(3)) and the receive time in it: SCM_TIMESTAMPNS, a struct timespec of 64-bit numbers.
 *
 *    0                   8         12        16                  24                 32
 *   +-------------------+---------+---------+-------------------+-------------------+
 *   | length: 32        | level   | type    | seconds           | nanoseconds       |
 *   +-------------------+---------+---------+-------------------+-------------------+
 */
export const STAMP_MESSAGE = { length: 0, level: 8, type: 12, seconds: 16, nanoseconds: 24, octets: 32 } as const;

/** struct timespec (clock_gettime(2)): seconds and nanoseconds, 64 bits each. */
export const TIMESPEC = { seconds: 0, nanoseconds: 8, octets: 16 } as const;

/** struct epoll_event (epoll_ctl(2)): 12 octets on x64, elsewhere the 64 bits of `token` are aligned.
 *
 *    0         4                  12             0         4         8                  16
 *   +---------+-------------------+             +---------+---------+-------------------+
 *   | events  | token             |  x64        | events  |   ..    | token             |  arm64
 *   +---------+-------------------+             +---------+---------+-------------------+
 */
export const EPOLL_EVENT =
  process.arch === 'x64'
    ? ({ events: 0, token: 4, octets: 12 } as const)
    : ({ events: 0, token: 8, octets: 16 } as const);

/** What getsockopt(SO_MEMINFO) fills: nine 32-bit numbers, of which the last counts the datagrams dropped. */
export const MEMORY_INFORMATION = { drops: 32, octets: 36 } as const;

// Constants of the same interface: asm-generic, which x64 and arm64 share.
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;
export const O_CLOEXEC = 0x80000;
export const EPOLL_CLOEXEC = 0x80000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_RCVBUF = 8;
/** The same beyond net.core.rmem_max, for who has CAP_NET_ADMIN. */
export const SO_RCVBUFFORCE = 33;
/** Also the type of the control message that carries the time. */
export const SO_TIMESTAMPNS = 35;
export const SO_MEMINFO = 55;
export const EPOLL_CTL_ADD = 1;
export const EPOLLIN = 1;
/** Edge-triggered: a socket is reported when something comes, not again and again while something is there. */
export const EPOLLET = 1 << 31;
