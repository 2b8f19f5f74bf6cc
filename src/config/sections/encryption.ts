import { z } from 'zod';
import { parseMasterKeys } from '../../archive/encryption/master-keys.ts';
import { file } from './values.ts';

const masterKeys = z.string().superRefine((text, context) => {
  try {
    if (parseMasterKeys(text).length === 0) context.addIssue({ code: 'custom', message: 'holds no key' });
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

export const encryption = z.strictObject({
  keyFile: file.describe(
    'File of master keys, ID:BASE64 of 32 octets one a line, the first one for new recordings: finished recordings are encrypted. Null: they are not.',
  ),
  masterKey: masterKeys
    .nullable()
    .default(null)
    .describe(
      'The same keys with blanks between; better given as SIPREEL_MASTER_KEY in the environment. They go before those of the file.',
    ),
});
