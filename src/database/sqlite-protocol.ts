// What the SQLite thread and the main thread say to each other.

export interface SqliteWorkerData {
  path: string;
  access: 'read' | 'write';
}

/** What was asked in one turn comes in one message: each wakes a thread. */
export interface SqliteOrder {
  orderId: number;
  /** The first of a transaction, which it begins. */
  begins: boolean;
  sql: string;
  parameters: readonly unknown[];
}

export interface SqliteAnswer {
  orderId: number;
  rows: Record<string, unknown>[];
  changes: number;
  /** `code` is SQLite's extended result code. */
  failure?: { message: string; code: number | null };
}
