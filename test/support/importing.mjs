/** Imports into a directory and tells of each commit; dies where its task says so. */
import { importMemory } from '#src/index.js';

/** @type {{ source: string, directory: string, dieAfter?: number, part?: { number: number, of: number } }} */
const { source, directory, dieAfter, part } = JSON.parse(process.argv[2] ?? '{}');
let commits = 0;
const report = await importMemory(source, directory, {
  itemsPerCommit: 3,
  part,
  onCommit: ({ done }) => {
    process.stdout.write(`done ${done}\n`);
    commits += 1;
    if (commits === dieAfter) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 0);
  },
});
process.stdout.write(`report ${JSON.stringify(report)}\n`);
