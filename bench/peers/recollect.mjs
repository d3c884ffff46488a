import { existsSync } from 'node:fs';

/** The log with all its defaults: checksums, seals, several processes allowed. `conditions` names each stream's expected version. */
export const variants = {
  recollect: (directory) => open(directory, false),
  'recollect, conditions': (directory) => open(directory, true),
};

const built = new URL('../../dist/index.js', import.meta.url);

/** The built library, not its sources: what users get is what is measured. */
export async function loadRecollect() {
  const library = existsSync(built) ? await import(built) : {};
  if (typeof library.openLog === 'function') return library;
  throw Object.assign(new Error('dist/index.js has no openLog; build the project first'), {
    code: 'NOT_BUILT',
  });
}

async function open(directory, conditions) {
  const { openLog } = await loadRecollect();
  const log = await openLog(`${directory}/store`);
  const options = conditions ? (version) => ({ expectedVersion: version }) : () => undefined;
  return {
    append: ({ stream, type, data }, version) =>
      log.append(stream, { type, data }, options(version)),
    appendSync: ({ stream, type, data }, version) =>
      log.appendSync(stream, { type, data }, options(version)),
    /** Positions are counted without gaps: the head tells how many commits stand. */
    stored: () => log.head.position,
    close: () => log.close(),
  };
}
