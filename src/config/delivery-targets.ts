// The targets of the configuration as the delivery room builds them.
import { createCommand } from '../delivery/command.ts';
import { webhookKey } from '../delivery/signature.ts';
import type { DeliveryTarget } from '../delivery/target.ts';
import { createUpload } from '../delivery/upload.ts';
import { createWebhook } from '../delivery/webhook.ts';
import type { RecordingLibrary } from '../recording/library.ts';
import type { Config } from './schema.ts';

export interface DeliverySurroundings {
  library: RecordingLibrary;
  /** For the User-Agent header. */
  product: string;
  wallMs: () => number;
}

export function deliveryTargets({ delivery }: Config, surroundings: DeliverySurroundings): DeliveryTarget[] {
  const { library, product, wallMs } = surroundings;
  const { publicUrl } = delivery;
  return delivery.targets.map((target): DeliveryTarget => {
    const timeoutMs = target.timeoutSeconds * 1000;
    if (target.kind === 'command') {
      const directoryOf = async (recordingId: string) => (await library.get(recordingId))?.directory ?? null;
      return createCommand({ ...target, timeoutMs, publicUrl, directoryOf });
    }
    const internal = target.allowInternal ? 'allowed' : 'refused';
    if (target.kind === 'webhook') {
      const key = target.secret === null ? null : webhookKey(target.secret);
      const url = new URL(target.url);
      return createWebhook({ ...target, url, key, internal, timeoutMs, publicUrl, userAgent: product, wallMs });
    }
    const openAudio = (recordingId: string) => library.openFile(recordingId, 'audio');
    return createUpload({ ...target, internal, timeoutMs, userAgent: product, openAudio });
  });
}
