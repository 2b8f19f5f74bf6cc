import { RecordingIndex } from '../../../src/archive/index/recording-index.ts';
import { type IndexTables, indexMigrations } from '../../../src/archive/index/schema.ts';
import { connectDatabase, type DatabaseAddress } from '../../../src/database/database.ts';

export function openRecordingIndex(address: DatabaseAddress, recorder: string): RecordingIndex {
  return new RecordingIndex(connectDatabase<IndexTables>(address, indexMigrations), recorder);
}
