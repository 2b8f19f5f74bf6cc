// A stream as the body of an answer, and what is to be closed behind it.
import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** `close` is called once the stream is over, also when whoever asked leaves in the middle, or has left already. */
export function sendStream(reply: FastifyReply, stream: Readable, close: () => Promise<void>): FastifyReply {
  stream.once('close', () => void close());
  // Whoever has left already is not noticed by what sends the stream.
  if (reply.raw.destroyed) stream.destroy();
  else reply.raw.once('close', () => stream.destroy());
  return reply.send(stream);
}
