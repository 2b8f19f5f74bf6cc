// All dialogs, found in constant time by what the network says (Call-ID and both tags) and by what apps say (dialog id).
import { dialogKey } from './identifiers.ts';
import type { LiveDialog } from './live-dialog.ts';

export class DialogTable {
  readonly #byKey = new Map<string, LiveDialog>();
  readonly #byId = new Map<string, LiveDialog>();

  /** Early dialogs of a forked INVITE share an id: apps reach the one that was added or preferred last. */
  add(dialog: LiveDialog): void {
    this.#byKey.set(dialog.key, dialog);
    this.#byId.set(dialog.id, dialog);
  }

  prefer(dialog: LiveDialog): void {
    if (this.#byKey.has(dialog.key)) this.#byId.set(dialog.id, dialog);
  }

  remove(dialog: LiveDialog): void {
    if (this.#byKey.get(dialog.key) === dialog) this.#byKey.delete(dialog.key);
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
  }

  byTags(callId: string, localTag: string, remoteTag: string): LiveDialog | undefined {
    return this.#byKey.get(dialogKey(callId, localTag, remoteTag));
  }

  byId(id: string): LiveDialog | undefined {
    return this.#byId.get(id);
  }

  values(): LiveDialog[] {
    return [...this.#byKey.values()];
  }

  get size(): number {
    return this.#byKey.size;
  }
}
