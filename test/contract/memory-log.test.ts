/** The contract over memory: a disk that forgets, opened again and again, and the log that the public call makes of one. */
import { openLog, openLogSync } from '#src/index.js';
import { realEnvironment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOn, openLogOnSync } from '#src/log/open-log.js';
import { suite } from './suite.js';

suite('the log on a disk in memory', {
  canReopen: true,
  canShare: true,
  make() {
    const disk = new MemoryDisk();
    return {
      open: (options) => openLogOn(realEnvironment(disk, options.clock), '/log', options),
      openSync: (options) => openLogOnSync(realEnvironment(disk, options.clock), '/log', options),
    };
  },
});

suite('the log that { memory: true } gives', {
  canReopen: false,
  canShare: false,
  make: () => ({
    open: (options) => openLog({ memory: true, ...options }),
    openSync: (options) => openLogSync({ memory: true, ...options }),
  }),
});
