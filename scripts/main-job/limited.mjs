/** Runs a program for no longer than it may take: one that hangs, whatever it hangs in, is ended from outside. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * @param {string} program
 * @param {readonly string[]} parameters
 * @param {number} timeoutMs
 * @returns {Promise<number>} its exit code; 1 when it was ended
 */
export async function limited(program, parameters, timeoutMs) {
  const child = fork(program, parameters);
  let late = false;
  const end = () => {
    late = true;
    child.kill('SIGKILL');
  };
  const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(end, timeoutMs);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(timer);
  if (code !== null) return code;
  const why = late ? `it was not done after ${timeoutMs} ms` : `it was ended by ${signal}`;
  console.error(`main job failed: ${why}`);
  return 1;
}
