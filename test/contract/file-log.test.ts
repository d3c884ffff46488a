/** The contract over directories, with and without a thread that writes. */
import { join } from 'node:path';
import { openLog, openLogSync } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { type Factory, suite } from './suite.js';

function fileLog(writerThread: boolean): Factory {
  return {
    canReopen: true,
    canShare: true,
    make() {
      const directory = join(temporaryDirectory(), 'log');
      return {
        open: (options) => openLog(directory, { writerThread, ...options }),
        openSync: (options) => openLogSync(directory, { writerThread, ...options }),
      };
    },
  };
}

suite('the log in a directory, with a writer thread', fileLog(true));
suite('the log in a directory, written by the calling thread', fileLog(false));
