// Closing is idempotent: the second caller waits for the first one's work.

/** Wraps a teardown so that it runs once; every call returns the same promise. The first call's arguments count. */
export function closeOnce<Args extends unknown[]>(teardown: (...args: Args) => Promise<void> | void) {
  let closing: Promise<void> | undefined;
  return (...args: Args): Promise<void> => {
    closing ??= (async () => teardown(...args))();
    return closing;
  };
}
