// A recording client with a SIP server of its own behind it, for the commands that make calls.
import { createRecordingClient, type RecordingClient } from '../client/recording-client.ts';
import type { ClientSrf } from '../client/srf.ts';
import { systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { startEmbedded } from '../signalling.ts';

export interface EmbeddedClient {
  client: RecordingClient;
  close(): Promise<void>;
}

/** `localHost` is the IP address that SIP and RTP leave from; ports are chosen by the system. */
export async function startEmbeddedClient(localHost: string, log: Log): Promise<EmbeddedClient> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const part of closers.splice(0).toReversed()) await part();
  };
  try {
    const listeners = (['udp', 'tcp'] as const).map((transport) => ({ transport, host: localHost, port: 0 }));
    const { connection } = await startEmbedded(listeners, log, closers);
    // The client states the shape it needs of an Srf; the package's own types are looser.
    const srf = connection.srf as unknown as ClientSrf;
    return { client: createRecordingClient({ srf, localHost, clock: systemClock, log }), close };
  } catch (error) {
    await close();
    throw error;
  }
}
