/** The contract over directories, written by the calling thread. */
import { fileStore } from './file-store.js';
import { suite } from './suite.js';

suite('the store in a directory, written by the calling thread', fileStore(false));
