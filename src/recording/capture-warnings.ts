// What was lost on our side before it reached the journal, as warnings on the recording: no such loss is silent.
import type { Warning } from './call.ts';
import type { StreamStatistics } from './media.ts';

export function captureWarnings(statistics: Record<string, StreamStatistics> | null): Warning[] {
  const warnings: Warning[] = [];
  for (const [streamId, { kernelDrops = 0, drops }] of Object.entries(statistics ?? {})) {
    if (kernelDrops > 0) {
      const message = `${kernelDrops} datagrams of stream ${streamId} were dropped by the kernel because the recorder did not read them in time: sipreel doctor says what to change`;
      warnings.push({ code: 'kernel-drops', message });
    }
    const behind = drops.journalBehind ?? 0;
    if (behind > 0) {
      const message = `${behind} packets of stream ${streamId} were dropped because the disk did not keep up with the journals and the memory for waiting packets was full`;
      warnings.push({ code: 'journal-behind', message });
    }
  }
  return warnings;
}
