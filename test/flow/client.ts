// The built-in recording client inside the test process, with a SIP server of its own.
import { tonePair } from '../../src/client/audio.ts';
import type { ConnectRequest } from '../../src/client/call-plan.ts';
import type { RecordingClient } from '../../src/client/recording-client.ts';
import { startEmbeddedClient } from '../../src/commands/embedded-client.ts';
import { silentLog } from '../../src/lib/log.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';

export async function testClient(): Promise<RecordingClient> {
  const { client, close } = await startEmbeddedClient('127.0.0.1', silentLog);
  whenTestEnds(close);
  return client;
}

/** A call of Alice (440 Hz) to Bob (880 Hz). */
export function toneCall(port: number, transport: 'udp' | 'tcp' = 'udp'): ConnectRequest {
  const [caller, callee] = tonePair();
  return {
    uri: `sip:127.0.0.1:${port}${transport === 'tcp' ? ';transport=tcp' : ''}`,
    parties: [
      { name: 'Alice', aor: 'sip:alice@example.com', audio: caller },
      { name: 'Bob', aor: 'sip:bob@example.com', audio: callee },
    ],
  };
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
