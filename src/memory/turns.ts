/** One for all memories of this thread, since they share its event loop. */
import { Turns } from '../store.js';

export const turns: Turns = new Turns();
