// How media is received here, and how much of it the kernel keeps while nobody reads.
import { createSocket } from 'node:dgram';
import { type Availability, linuxReceiverAvailable } from '../capture/linux/availability.ts';
import type { ReceiverKind } from '../capture/protocol.ts';
import { PACKET_ROOM_OCTETS, RECEIVE_BUFFER_OCTETS } from '../capture/receive-buffer.ts';
import type { ReceiverChoice } from '../capture/receiver-choice.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const PACKETS_PER_SECOND = 50;
/** Linux grants twice what is asked for, if net.core.rmem_max allows it. */
const WANTED_OCTETS = 2 * RECEIVE_BUFFER_OCTETS;

export async function checkMedia(wanted: ReceiverChoice): Promise<Finding[]> {
  const linux = linuxReceiverAvailable();
  const receiver = receiverFinding(wanted, linux);
  if (receiver.verdict === 'fail') return [receiver];
  return [
    receiver,
    wanted !== 'dgram' && linux.available
      ? receiveBufferFinding('linux', linux.receiveBufferOctets)
      : receiveBufferFinding('dgram', await grantedByDgram()),
  ];
}

export function receiverFinding(wanted: ReceiverChoice, linux: Availability): Finding {
  if (wanted === 'dgram') {
    const hint = linux.available ? '; rtp.receiver auto would take Linux system calls, which need half the CPU' : '';
    return ok(`media is received with node:dgram${hint}`);
  }
  if (linux.available && linux.stamps) return ok('media is received with Linux system calls');
  if (linux.available)
    return warn(
      'media is received with Linux system calls, but the kernel does not say when packets came, only when they were read: on a busy machine jitter is then partly the recorder’s own',
    );
  return wanted === 'linux'
    ? fail(`rtp.receiver linux cannot be used: ${linux.reason}; set it to auto or dgram`)
    : ok(`media is received with node:dgram, which takes more CPU than Linux system calls: ${linux.reason}`);
}

/** `grantedOctets`: as the system says it of a socket of ours. */
export function receiveBufferFinding(receiver: ReceiverKind, grantedOctets: number): Finding {
  const seconds = grantedOctets / PACKET_ROOM_OCTETS / PACKETS_PER_SECOND;
  const text = `each media socket holds ${seconds.toFixed(1)} s of a stream of ${PACKETS_PER_SECOND} packets per second while nobody reads it`;
  if (grantedOctets >= WANTED_OCTETS) return ok(text);
  // Only there may a process ask for more than the limit.
  const or = receiver === 'linux' ? ', or give the recorder CAP_NET_ADMIN' : '';
  return warn(`${text}; for many calls let it be more: sysctl -w net.core.rmem_max=${RECEIVE_BUFFER_OCTETS}${or}`);
}

async function grantedByDgram(): Promise<number> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_OCTETS });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '127.0.0.1', resolve);
    });
    return socket.getRecvBufferSize();
  } finally {
    socket.close();
  }
}
