// What a previous process left in the spool is finished as if it had been stopped in order.
import type { Log } from '../lib/log.ts';
import type { ArchiveEngine } from './engines.ts';
import type { Finisher } from './finisher.ts';

/** Seals sessions that were running when the process died and queues everything unfinished. Returns how many there were. */
export async function recoverSessions(parts: {
  archive: ArchiveEngine;
  finisher: Finisher;
  log: Log;
}): Promise<number> {
  const { archive, finisher, log } = parts;
  const sessions = await archive.unfinishedSessions();
  for (const state of sessions) {
    if (state.phase === 'recording') {
      state.phase = 'sealed';
      state.endReason = 'interrupted';
      state.warnings.push({
        code: 'interrupted',
        message:
          'The recorder stopped while the call was running: the recording ends with the last packet that was written.',
      });
      await archive.saveSession(state);
    }
    log.info({ recordingId: state.recordingId, reason: state.endReason }, 'unfinished recording taken up');
    finisher.finish(state);
  }
  return sessions.length;
}
