// Who did what with recordings. Doors and commands tell; the archive keeps it.

export type AuditAction =
  | 'login'
  | 'login-failed'
  | 'logout'
  | 'play'
  | 'download'
  /** To a running call. */
  | 'listen'
  | 'tag'
  | 'note'
  | 'hold'
  | 'release'
  | 'delete'
  | 'import'
  | 'export'
  | 'delete-journal'
  | 'pause'
  | 'resume'
  | 'stop'
  | 'record'
  | 'token-created'
  | 'token-revoked';

export interface AuditEntry {
  action: AuditAction;
  /** `token:NAME`, `page:NAME` (a browser logged in with that token), `local` (the machine's own command line), `retention`. */
  who: string;
  /** Address of the peer, null for what happens on the machine itself. */
  from: string | null;
  recordingId?: string;
  /** In words. */
  detail?: string;
}

export interface AuditLog {
  /** Resolves when the line is on disk; rejects with STORAGE_FAILED. Whoever lets somebody listen waits for it first. */
  write(entry: AuditEntry): Promise<void>;
}
