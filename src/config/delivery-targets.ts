// The targets of the configuration as the delivery room builds them.
import type { ObjectStore } from '../archive/remote/object-store.ts';
import { createCommand } from '../delivery/command.ts';
import { internalAddress, isInternal, publicAgents } from '../delivery/http-call.ts';
import { webhookKey } from '../delivery/signature.ts';
import { createStoreUpload } from '../delivery/store-upload.ts';
import type { DeliveryTarget } from '../delivery/target.ts';
import { createUpload } from '../delivery/upload.ts';
import { createWebhook } from '../delivery/webhook.ts';
import type { OpenRecordingFile, RecordingLibrary } from '../recording/library.ts';
import type { Config } from './schema.ts';
import type { DeliveryTargetConfig } from './sections/delivery.ts';

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
    const openAudio = (recordingId: string) => library.openFile(recordingId, 'audio');
    if (target.kind === 's3') return storeTarget(target, openAudio);
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
    return createUpload({ ...target, internal, timeoutMs, userAgent: product, openAudio });
  });
}

/** The store's SDK is loaded when there is something to put into it: it costs a fifth of a second and 35 MB. */
function storeTarget(
  target: Extract<DeliveryTargetConfig, { kind: 's3' }>,
  openAudio: (recordingId: string) => Promise<OpenRecordingFile | null>,
): DeliveryTarget {
  const { name, key, bucket, endpoint, region, accessKeyId, secretAccessKey, allowInternal } = target;
  let opened: Promise<ObjectStore> | null = null;
  const open = () => {
    opened ??= import('../archive/remote/object-store.ts').then(({ ObjectStore }) => {
      const credentials = accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey };
      const agents = allowInternal ? {} : { agents: publicAgents() };
      return new ObjectStore({ bucket, endpoint, region, credentials, ...agents });
    });
    return opened;
  };
  return createStoreUpload({
    name,
    key,
    openAudio,
    async put(objectKey, { file, read }, signal) {
      const host = endpoint === null ? '' : new URL(endpoint).hostname.replace(/^\[|\]$/g, '');
      if (!allowInternal && isInternal(host)) throw internalAddress(host);
      const store = await open();
      const uploadId = await store.unfinishedUpload(objectKey, file.octets);
      const options = { signal, uploadId, onUpload: async () => {} };
      return store.put(objectKey, { octets: file.octets, read }, options);
    },
    remove: async (objectKey) => (await open()).remove(objectKey, null),
  });
}
