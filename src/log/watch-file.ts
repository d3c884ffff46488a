/** Tells when a file may have changed: by the system's notifications, or every so often where it gives none. */
import * as fs from 'node:fs';

const withoutNotificationsMs = 100;

/**
 * Calls back after the file changed, sometimes late or in vain. Never throws and never keeps the process alive.
 * Notifications can be refused at the start (too many watches, no such file yet) or end later; then it calls back every
 * 100 ms, whatever happened: the times of files are too coarse to tell two changes apart, and a missed one would leave
 * the caller waiting for ever.
 */
export function watchFile(path: string, changed: () => void): () => void {
  let stopped = false;
  let stop = (): void => {};
  const tell = (): void => {
    if (!stopped) changed();
  };
  const tellAnyway = (): void => {
    const timer = setInterval(tell, withoutNotificationsMs).unref();
    stop = () => clearInterval(timer);
  };
  try {
    const watcher = fs.watch(path, { persistent: false }, tell);
    stop = () => watcher.close();
    watcher.on('error', () => {
      watcher.close();
      if (!stopped) tellAnyway();
    });
  } catch {
    tellAnyway();
  }
  return () => {
    stopped = true;
    stop();
  };
}
