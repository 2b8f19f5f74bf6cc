// Which recordings somebody may see: by patterns for the parties' addresses and for the group.
import type { CallDescription } from './call.ts';
import type { RecordingDocument } from './document.ts';

/** A recording is in scope if one party or the group fits one pattern. No pattern at all: everything is in scope. */
export interface RecordingScope {
  /** Compared with each party's address without its scheme (`1001@example.com`) and with its user part (`1001`). `*` stands for any text. */
  parties: readonly string[];
  /** Compared with the group id. */
  groups: readonly string[];
}

export const EVERYTHING: RecordingScope = { parties: [], groups: [] };

export function isEverything(scope: RecordingScope): boolean {
  return scope.parties.length === 0 && scope.groups.length === 0;
}

/** For finished recordings. */
export function documentInScope(
  document: Pick<RecordingDocument, 'participants' | 'call'>,
  scope: RecordingScope,
): boolean {
  const aors = document.participants.map((participant) => participant.aor);
  return inScope(aors, document.call.groupId, scope);
}

/** For running ones. */
export function callInScope(call: CallDescription, scope: RecordingScope): boolean {
  const aors = call.participants.map((participant) => participant.aor);
  return inScope(aors, call.identifiers.groupId, scope);
}

function inScope(aors: (string | null)[], groupId: string | null, scope: RecordingScope): boolean {
  if (isEverything(scope)) return true;
  if (groupId !== null && scope.groups.some((pattern) => fits(groupId, pattern))) return true;
  return aors.some((aor) => {
    if (aor === null) return false;
    const { address, user } = addressOf(aor);
    return scope.parties.some((pattern) => fits(address, pattern) || fits(user, pattern));
  });
}

/** `sip:1001@example.com;x=y` gives `1001@example.com` and `1001`. */
export function addressOf(aor: string): { address: string; user: string } {
  const address = aor.replace(/^(?:sips?|tel):/i, '').replace(/[;?>].*$/s, '');
  return { address, user: address.replace(/@.*$/s, '') };
}

/** `*` is any text, everything else stands for itself; letters' case does not matter. Linear, whatever the pattern. */
export function fits(text: string, pattern: string): boolean {
  const haystack = text.toLowerCase();
  const pieces = pattern.toLowerCase().split('*');
  const first = pieces.shift() ?? '';
  if (pieces.length === 0) return haystack === first;
  const last = pieces.pop() ?? '';
  if (haystack.length < first.length + last.length) return false;
  if (!haystack.startsWith(first) || !haystack.endsWith(last)) return false;
  const end = haystack.length - last.length;
  let at = first.length;
  for (const piece of pieces) {
    const found = haystack.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
