/** The contract over memory: a disk that forgets, opened again and again, and the store that the public call makes of one. */
import { openStore, openStoreSync } from '#src/index.js';
import { realEnvironment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openStoreOn, openStoreOnSync } from '#src/store.js';
import { suite } from './suite.js';

suite('the store on a disk in memory', {
  canReopen: true,
  canShare: true,
  make() {
    const disk = new MemoryDisk();
    return {
      open: (options) => openStoreOn(realEnvironment(disk, options.clock), '/store', options),
      openSync: (options) =>
        openStoreOnSync(realEnvironment(disk, options.clock), '/store', options),
    };
  },
});

suite('the store that { memory: true } gives', {
  canReopen: false,
  canShare: false,
  make: () => ({
    open: (options) => openStore({ memory: true, ...options }),
    openSync: (options) => openStoreSync({ memory: true, ...options }),
  }),
});
