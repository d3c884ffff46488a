/** Logs that are open for writing when the process ends have a moment to move their anchor. One listener serves them all. */

export interface Leaving {
  /** Without waiting for anybody. */
  onExit(): void;
}

const open = new Set<Leaving>();
let listening = false;

/** From now on this log is told, where {@link listenForExit} was called. */
export function tellAtExit(log: Leaving): void {
  open.add(log);
}

/** It was closed. */
export function forgetAtExit(log: Leaving): void {
  open.delete(log);
}

/** @internal From now on the end of the process is heard of. */
export function listenForExit(): void {
  if (listening) return;
  listening = true;
  process.on('exit', () => {
    for (const log of open) log.onExit();
  });
}
