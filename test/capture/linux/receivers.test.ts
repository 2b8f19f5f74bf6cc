// Both receivers under the one suite.
import { describe, test } from 'vitest';
import { DgramReceiver } from '../../../src/capture/dgram-receiver.ts';
import { linuxReceiverAvailable } from '../../../src/capture/linux/availability.ts';
import { createLinuxReceiver } from '../../../src/capture/linux/linux-receiver.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { receiverSuite } from '../receiver-suite.ts';

receiverSuite('portable', () => ({ receiver: new DgramReceiver(systemClock), close: async () => {} }));

const availability = linuxReceiverAvailable();
if (availability.available) {
  receiverSuite('Linux', () => {
    const receiver = createLinuxReceiver(systemClock);
    return { receiver, close: () => receiver.close() };
  });
} else {
  describe('Linux receiver', () => {
    test.skip(`SKIPPED, not available here: ${availability.reason}`);
  });
}
