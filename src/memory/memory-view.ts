/** The memory as of a moment: the same models, whose writing calls are refused. */
import type { StoreView } from '../store.js';
import type { Meter } from './meter.js';
import { Models } from './models.js';
import type { MemorySettings } from './options.js';
import { ViewAccess } from './view-access.js';

/**
 * The models as of a moment. What had expired then is not returned, what has expired since is; for a position, at the time of its commit. Calls that
 * write throw StoreReadOnlyError.
 */
export class MemoryView extends Models {
  /** The store below, as of the moment. */
  readonly engine: StoreView;

  /** @internal Made by `memory.at`. */
  constructor(view: StoreView, settings: MemorySettings, meter: Meter) {
    const access = new ViewAccess(
      view,
      () => view.time(),
      () => view.timeSync(),
      settings.recall,
    );
    super(access, settings, meter);
    this.engine = view;
  }
}
