import * as bare from './bare.mjs';
import * as level from './level.mjs';
import * as lmdb from './lmdb.mjs';
import * as recollect from './recollect.mjs';
import * as sqlite from './sqlite.mjs';

/**
 * Everything that is measured, by name. Each is `open(directory) -> store` with
 * - `append(event, version)`: a promise that resolves when the event is durable; `version` is how many its stream holds already;
 * - `appendSync(event, version)`, where there is such a call: returns when the event is durable;
 * - `close()`.
 * Packages are loaded by `open`, so that one that is not built fails alone.
 */
export const variants = {
  ...bare.variants,
  ...recollect.variants,
  ...lmdb.variants,
  ...level.variants,
  ...sqlite.variants,
};
