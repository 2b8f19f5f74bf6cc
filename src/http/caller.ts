// Who asks, and what a role may do.
import { EVERYTHING, type RecordingScope } from '../recording/scope.ts';

/** `import` is for PBXs: whoever finds its token in a configuration can hand recordings in, and hear none. */
export const ROLES = ['import', 'listen', 'manage', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** For which routes each role is good. */
const GRANTS: Record<Role, readonly Role[]> = {
  import: ['import'],
  listen: ['listen'],
  manage: ['import', 'listen', 'manage'],
  admin: ['import', 'listen', 'manage', 'admin'],
};

/** What a route asks for: nothing, or a role that is good for it. */
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
  return access === 'public' || GRANTS[role].includes(access);
}
