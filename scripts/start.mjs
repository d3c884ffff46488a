/** `npm start`: makes the clone ready, then runs the main job on the build. `npm start -- <path>` gives it something else to import. */
import './prepare.mjs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { limited } from './main-job/limited.mjs';

/** The job takes seconds. What it was given may be of any size. */
const TIMEOUT_MS = 115_000;

const parameters = process.argv.slice(2);
const { positionals } = parseArgs({
  args: parameters,
  options: { directory: { type: 'string' } },
  allowPositionals: true,
  strict: false,
});
const program = fileURLToPath(new URL('./main-job/main.mjs', import.meta.url));
process.exitCode = await limited(
  program,
  parameters,
  positionals.length > 0 ? Number.POSITIVE_INFINITY : TIMEOUT_MS,
);
