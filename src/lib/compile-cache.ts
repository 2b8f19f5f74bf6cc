// Node's cache of compiled code, for this thread and those that it starts.
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * A start compiles what the last one did not leave compiled: a good second less, which counts when a recorder comes back in the
 * middle of calls. Threads take the directory from the environment; with it they find their TypeScript stripped already. Otherwise
 * each of them runs Node's stripper, which is WebAssembly, and V8 13.6 may end the process when several threads do so
 * ("Check failed: jit_page.has_value()", in ThreadIsolation::UnregisterWasmAllocation below WasmImportWrapperCache::Free).
 * The published package is JavaScript and strips nothing.
 *
 * What is cached will be run, so `directory` must be written by those only who may change the program: never Node's default below
 * the system's temporary directory. Where it cannot be written, nothing is cached. NODE_COMPILE_CACHE in the environment wins.
 */
export function shareCompileCache(directory: URL): void {
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? fileURLToPath(directory));
  if (getCompileCacheDir() !== undefined) process.env.NODE_COMPILE_CACHE ??= fileURLToPath(directory);
}
