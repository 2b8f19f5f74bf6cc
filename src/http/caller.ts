// Who asks, and what a role may do.
import { EVERYTHING, type RecordingScope } from '../recording/scope.ts';

/** Each may what the ones before it may. */
export const ROLES = ['listen', 'manage', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a route asks for: nothing, or at least that role. */
export type Access = 'public' | Role;

export interface Caller {
  /** For the audit log: `token:NAME`, `page:NAME`, `local`. */
  who: string;
  name: string;
  role: Role;
  scope: RecordingScope;
  /** Set if a cookie says who it is: changes then need this text in a header of their own. */
  csrfToken: string | null;
}

/** The machine's own command line, and whoever it has let in. */
export const LOCAL_CALLER: Caller = {
  who: 'local',
  name: 'local',
  role: 'admin',
  scope: EVERYTHING,
  csrfToken: null,
};

export function may(role: Role, access: Access): boolean {
  return access === 'public' || ROLES.indexOf(role) >= ROLES.indexOf(access);
}
