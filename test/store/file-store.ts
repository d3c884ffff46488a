/** The place of a store in a directory. */
import { join } from 'node:path';
import { openStore, openStoreSync } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { Factory } from './suite.js';

export function fileStore(writerThread: boolean): Factory {
  return {
    canReopen: true,
    canShare: true,
    readsAsAnother: writerThread,
    make() {
      const directory = join(temporaryDirectory(), 'store');
      return {
        open: (options) => openStore(directory, { writerThread, ...options }),
        openSync: (options) => openStoreSync(directory, { writerThread, ...options }),
      };
    },
  };
}
