/** An index as it was saved last, for an open store: loaded when the store is open already, and made anew when that cannot be done. */
import { IndexFailedError } from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { IndexDefinition } from '../projections/define-index.js';
import { inPortions, type LoadedIndex } from '../projections/index-runtime.js';
import { newestParts } from '../projections/index-snapshot.js';
import type { Shelf } from '../projections/shelf.js';

/** In portions. @param anew - looks first what others have saved @throws IndexFailedError when there is nothing to load and none can be made; StoreDamagedError, system errors of the disk */
export function* savedIndex(
  log: LogInternals,
  shelf: Shelf,
  definition: IndexDefinition,
  anew: boolean,
): Io<LoadedIndex<unknown>> {
  if (anew) yield* shelf.look();
  for (;;) {
    const saved =
      (yield* newestParts(shelf, log.position, log.position)) ?? (yield* newer(log, shelf));
    if (!saved) return { position: 0, index: emptyIndex(definition) };
    const { position, source } = saved;
    try {
      const index = yield* inPortions(definition.loading(source));
      shelf.prove(position);
      return { position, index };
    } catch {
      // The one before may be one that it can load.
      shelf.failNow(position);
    }
  }
}

/** Another process may have made a newer one since this one was opened, and removed those that were there. */
function* newer(log: LogInternals, shelf: Shelf) {
  yield* log.look();
  yield* shelf.look();
  return yield* newestParts(shelf, log.position, log.position);
}

/** @throws IndexFailedError */
export function emptyIndex(definition: IndexDefinition): unknown {
  try {
    return definition.create();
  } catch (cause) {
    throw new IndexFailedError(definition.name, cause);
  }
}
