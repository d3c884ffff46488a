/** `npm start`: makes the clone ready, then runs the main job on the build. `npm start -- <path>` gives it something else to import. */
import './prepare.mjs';

const { mainJob } = await import('./main-job/run.mjs');
process.exitCode = await mainJob(process.argv.slice(2));
