/** Imports into a directory and tells of each commit; dies where its task says so. */
import { importMemory } from '#src/index.js';

/** @type {{ source: string, directory: string, dieAfter?: number, part?: { number: number, of: number } }} */
const { source, directory, dieAfter, part } = JSON.parse(process.argv[2] ?? '{}');
let commits = 0;
/** Whoever waits for what never comes must be reachable: what it has open would be collected otherwise, with a word on the standard error. */
const waiting = [];
const report = await importMemory(source, directory, {
  itemsPerCommit: 3,
  part,
  onCommit: ({ done }) => {
    process.stdout.write(`done ${done}\n`);
    commits += 1;
    if (dieAfter === undefined || commits < dieAfter) return undefined;
    // It dies in the middle of the next commit, or at its end: however fast the disk is, it does not come to the end of the source.
    if (commits > dieAfter) {
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    }
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 0);
    return undefined;
  },
});
process.stdout.write(`report ${JSON.stringify(report)}\n`);
