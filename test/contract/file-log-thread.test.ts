/** The contract over directories, written by a thread of its own. */
import { fileLog } from './file-log.js';
import { suite } from './suite.js';

suite('the log in a directory, with a writer thread', fileLog(true));
