/** The contract over directories, written by a thread of its own. */
import { fileStore } from './file-store.js';
import { suite } from './suite.js';

suite('the store in a directory, with a writer thread', fileStore(true));
