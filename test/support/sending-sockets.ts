// Connected UDP sockets for a load generator, through koffi: one call per packet and nothing around it.
import { createRequire } from 'node:module';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const LOOPBACK = [127, 0, 0, 1] as const;

type Koffi = typeof import('koffi');
type Native = (...values: (number | bigint)[]) => number;

export interface SendingSockets {
  /** A socket with a port of its own that sends to that port of 127.0.0.1. */
  connect(port: number): number;
  /** @returns the octets sent, or negative */
  send(descriptor: number, memory: bigint, octets: number): number;
  close(descriptor: number): void;
  addressOf(memory: ArrayBuffer): bigint;
}

/** Throws where koffi cannot be had. */
export function sendingSockets(): SendingSockets {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const library = koffi.load(null);
  const native = (name: string, ...parameters: string[]) => library.func(name, 'int', parameters) as Native;
  const socket = native('socket', 'int', 'int', 'int');
  const connectTo = native('connect', 'int', 'void *', 'uint');
  const sendTo = native('send', 'int', 'void *', 'size_t', 'int');
  const closeDescriptor = native('close', 'int');
  const address = Buffer.from(new ArrayBuffer(16));
  address.writeUInt16LE(AF_INET, 0);
  address.set(LOOPBACK, 4);
  const addressAt = koffi.address(address.buffer);
  return {
    connect(port) {
      const descriptor = socket(AF_INET, SOCK_DGRAM, 0);
      address.writeUInt16BE(port, 2);
      if (descriptor < 0 || connectTo(descriptor, addressAt, 16) < 0)
        throw new Error(`no socket for port ${port}: error ${koffi.errno()}`);
      return descriptor;
    },
    send: (descriptor, memory, octets) => sendTo(descriptor, memory, octets, MSG_DONTWAIT),
    close: (descriptor) => void closeDescriptor(descriptor),
    addressOf: (memory) => koffi.address(memory) as bigint,
  };
}
