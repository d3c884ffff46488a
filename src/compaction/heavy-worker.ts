/** The thread for heavy work: one letter, one piece of work, one answer. It needs the main thread for nothing in between. */
import { parentPort } from 'node:worker_threads';
import { archiveSegment, measureArchive } from '../log/archive-write.js';
import { errorLetter } from '../log/channel.js';
import { type Io, runSync } from '../log/io.js';
import { pathsOf } from '../log/paths.js';
import { RealDisk } from '../log/real-disk.js';
import { writeRemains } from '../log/remains-write.js';
import type { HeavyAnswer, HeavyLetter } from './heavy-thread.js';
import { WayGiver } from './way-giver.js';

const disk = new RealDisk();
/** A few of them take as much room as young objects have. */
const WEIGHT_LENGTH = 32_000;
/** Holds the last weight; the one before it goes with the next collection of young objects. */
const scale: { weight?: unknown[] } = {};

/**
 * Buffers that are no longer used go when the room for young objects is used up, which hardly ever happens where little but buffers is made: some 30 MB of them
 * would wait. This uses it up after a few pieces of work.
 */
function weigh(): void {
  scale.weight = new Array(WEIGHT_LENGTH);
}

function work({ kind, directory, job }: HeavyLetter): HeavyAnswer {
  const paths = pathsOf(directory);
  const giver = new WayGiver(disk, paths.lock);
  // biome-ignore lint/correctness/useYield: this thread waits itself, and needs no driver for that
  function* giveWay(): Io<void> {
    giver.giveWay();
    weigh();
  }
  try {
    if (kind === 'remains') {
      runSync(disk, writeRemains({ ...job, paths }, giveWay));
      return { done: undefined };
    }
    const archiving = { ...(job as Parameters<typeof archiveSegment>[0]), paths };
    const go = kind === 'measure' ? measureArchive : archiveSegment;
    return { done: runSync(disk, go(archiving, giveWay)) };
  } catch (error) {
    return { failed: errorLetter(error) };
  } finally {
    giver.close();
  }
}

parentPort?.on('message', (letter: HeavyLetter) => {
  parentPort?.postMessage(work(letter));
});
