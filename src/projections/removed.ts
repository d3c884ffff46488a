/** What a handler returns to make the key absent: no state in `get`, `entries` and snapshots. Its next event begins again with `initial`. */
export const removed: unique symbol = Symbol.for('recollect.removed');
