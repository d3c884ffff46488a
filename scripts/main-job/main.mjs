/** The main job in a process of its own, which ends with the one that limits its time. */
import { mainJob } from './run.mjs';

process.once('disconnect', () => process.exit(1));
const code = await mainJob(process.argv.slice(2));
process.removeAllListeners('disconnect');
process.exitCode = code;
process.disconnect?.();
