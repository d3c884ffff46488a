/** Waits for a piece of heavy work that was begun when nobody waited yet; for the first one when the thread was just started, and for the next one. */
import { ThreadWork } from '#src/compaction/heavy-thread.js';
import { openLog } from '#src/index.js';
import { archivable } from '#src/log/archivable.js';

/** @type {{ directory: string }} */
const { directory } = JSON.parse(process.argv[2] ?? '{}');
const log = await openLog(directory);
const { internals } = log;
const jobs = await internals.run(archivable(internals.paths, log.id, internals.position));
await log.close();
const work = new ThreadWork(directory, () => false);
for (const job of jobs.slice(0, 3)) {
  const moved = work.archive(job);
  work.await();
  process.stdout.write(`moved ${(await moved).first}\n`);
}
process.stdout.write('done\n');
