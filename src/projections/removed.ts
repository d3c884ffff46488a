/** What a handler returns to say that its key is gone: no state in `get`, `entries` and snapshots until the next event for it. */
export const removed: unique symbol = Symbol('recollect.removed');
