/** Which definitions this copy of the package made, and which some copy in the program did: two copies do not share their checks. */
import { kindOf } from '../log/json.js';

/** Shared by all copies of the package in the program. */
const EVERYWHERE = Symbol.for('recollect.definitions');

type Shared = { [EVERYWHERE]?: WeakSet<object> };

function everywhere(): WeakSet<object> {
  const shared = globalThis as Shared;
  shared[EVERYWHERE] ??= new WeakSet();
  return shared[EVERYWHERE];
}

export class Definitions<T extends object> {
  readonly #made = new WeakSet<object>();

  add(definition: T): void {
    this.#made.add(definition);
    everywhere().add(definition);
  }

  has(value: unknown): value is T {
    return typeof value === 'object' && value !== null && this.#made.has(value);
  }
}

/** What something is that was not made by `maker`, for a message. */
export function notMadeBy(maker: string, value: unknown): string {
  const isForeign = typeof value === 'object' && value !== null && everywhere().has(value);
  return isForeign
    ? `must be made by ${maker} of the same copy of recollect: this program has two, perhaps of two versions. Let it have one (npm ls recollect shows them)`
    : `must be made by ${maker}, not ${kindOf(value)}`;
}
