/** The contract over directories, written by the calling thread. */
import { fileLog } from './file-log.js';
import { suite } from './suite.js';

suite('the log in a directory, written by the calling thread', fileLog(false));
