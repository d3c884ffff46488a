/**
 * Preloaded into a writer thread: from its chosen sync on, every one says that it has begun and then never comes back, as on a
 * disk that hangs. The lock is held meanwhile.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread, workerData } from 'node:worker_threads';

if (!isMainThread) {
  const { hangsFromSync, hanging } = workerData.slowSyncs;
  const word = new Int32Array(hanging);
  const sync = fs.fdatasyncSync;
  let syncs = 0;
  fs.fdatasyncSync = (file) => {
    syncs += 1;
    if (syncs < hangsFromSync) return sync(file);
    Atomics.store(word, 0, 1);
    Atomics.wait(word, 0, 1);
  };
  syncBuiltinESMExports();
}
