/** The place of a log in a directory. */
import { join } from 'node:path';
import { openLog, openLogSync } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { Factory } from './suite.js';

export function fileLog(writerThread: boolean): Factory {
  return {
    canReopen: true,
    canShare: true,
    readsAsAnother: writerThread,
    make() {
      const directory = join(temporaryDirectory(), 'log');
      return {
        open: (options) => openLog(directory, { writerThread, ...options }),
        openSync: (options) => openLogSync(directory, { writerThread, ...options }),
      };
    },
  };
}
