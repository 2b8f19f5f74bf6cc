// What the system says of a directory, as an error of the catalogue that tells the operator what to do.
import { stat } from 'node:fs/promises';
import { RecorderError } from '../lib/errors.ts';

/** Never rejects. An error of the catalogue stays what it is. */
export async function storageError(error: unknown, directory: string): Promise<RecorderError> {
  if (error instanceof RecorderError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const cause = { cause: error };
  if (code === 'EROFS') return new RecorderError('STORAGE_READ_ONLY', `${directory}: ${message}`, cause);
  if (code !== 'EACCES' && code !== 'EPERM') return new RecorderError('STORAGE_FAILED', message, cause);
  const owner = await stat(directory).then(
    ({ uid, mode }) => `${directory} belongs to user ${uid}, mode ${(mode & 0o777).toString(8)}`,
    () => `${directory} cannot be looked at`,
  );
  return new RecorderError(
    'STORAGE_DENIED',
    `${owner}; this process is user ${process.getuid?.() ?? '?'}: ${message}`,
    cause,
  );
}
