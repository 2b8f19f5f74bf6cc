// Master keys: they encrypt the recordings' keys and nothing else. `ID:BASE64` of 32 octets, one a line or between blanks; the first
// is for new recordings, the others open old ones. A `#` begins a comment. The file is read whenever a key is needed, so that a
// change needs no restart.
import { readFile } from 'node:fs/promises';
import { RecorderError } from '../../lib/errors.ts';

export interface MasterKey {
  id: string;
  key: Buffer;
}

export interface MasterKeyPlaces {
  /** Before those of the file. */
  keys: string | null;
  file: string | null;
}

const KEY = /^([\w.-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

/** Throws a sentence, without the key in it. */
export function parseMasterKeys(text: string): MasterKey[] {
  const words = text.replace(/#.*$/gm, '').split(/\s+/).filter(Boolean);
  const keys = words.map((word, index) => {
    const [, id, key] = KEY.exec(word) ?? [];
    if (!id || !key) throw new Error(`master key ${index + 1} is not ID:BASE64 of 32 octets`);
    return { id, key: Buffer.from(key, 'base64') };
  });
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('two master keys have the same id');
  return keys;
}

export class MasterKeys {
  readonly #places: MasterKeyPlaces;

  constructor(places: MasterKeyPlaces) {
    this.#places = places;
  }

  /** For new recordings. Rejects with KEY_MISSING. */
  async current(): Promise<MasterKey> {
    const [first] = await this.#all();
    if (!first) throw new RecorderError('KEY_MISSING', 'There is no master key.');
    return first;
  }

  /** Rejects with KEY_MISSING. */
  async get(id: string): Promise<MasterKey> {
    const found = (await this.#all()).find((one) => one.id === id);
    if (!found) throw new RecorderError('KEY_MISSING', `The key is called ${JSON.stringify(id.slice(0, 64))}.`);
    return found;
  }

  async #all(): Promise<MasterKey[]> {
    const { keys, file } = this.#places;
    try {
      const ofFile = file === null ? '' : await readFile(file, 'utf8');
      return parseMasterKeys(`${keys ?? ''}\n${ofFile}`);
    } catch (error) {
      throw new RecorderError('KEY_MISSING', (error as Error).message, { cause: error });
    }
  }
}
