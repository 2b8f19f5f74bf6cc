// How much work something is, whatever else the machine does.

/** CPU time of the calling thread in ms while `work` runs, and what it returned. */
export function cpuTime<T>(work: () => T): { result: T; cpuMs: number } {
  const before = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(before);
  return { result, cpuMs: (user + system) / 1000 };
}
