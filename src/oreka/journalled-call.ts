// A mod_oreka call read out of its journal: the texts that it came with, once more.
import type { CallDescription } from '../recording/call.ts';
import { readDatagram, type Side } from './datagram.ts';
import { CallTexts } from './description.ts';

/** `streams`: as the journal names and labels them. Null if none of the texts is an INVITE. `byes`: which of the texts are. */
export function callOfTexts(
  texts: readonly Buffer[],
  streams: readonly { streamId: string; label: string | null }[],
): { call: CallDescription; byes: number[] } | null {
  let call: CallTexts | null = null;
  const byes: number[] = [];
  for (const [index, text] of texts.entries()) {
    const reading = readDatagram(text);
    if (!reading.ok) continue;
    if (reading.message.method === 'BYE') byes.push(index);
    if (call) call.add(reading.message);
    else if (reading.message.method === 'INVITE') call = new CallTexts(reading.message);
  }
  const sends = (side: Side) =>
    streams.filter(({ label }) => label === side.toUpperCase()).map(({ streamId }) => streamId);
  return call && { call: call.describe({ rx: sends('rx'), tx: sends('tx') }, null), byes };
}
