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

function work({ kind, directory, job }: HeavyLetter): HeavyAnswer {
  const paths = pathsOf(directory);
  const giver = new WayGiver(disk, paths.lock);
  // biome-ignore lint/correctness/useYield: this thread waits itself, and needs no driver for that
  function* giveWay(): Io<void> {
    giver.giveWay();
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
