/** `npm start`: makes the clone ready, then runs the main job on the build. */
import './prepare.mjs';

await import('./main-job/run.mjs');
