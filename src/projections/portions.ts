/** A key's history, piece by piece: memory for it stays small however long it is, and each piece is read with few disk calls. */
import type { EventPlace } from './ports.js';

/** Events at once. */
const PORTION_MAX = 256;

/** Places in portions of whole commits. */
export class Portions {
  readonly #places: Iterator<EventPlace, void>;
  #following: EventPlace | undefined;

  constructor(places: Iterable<EventPlace>) {
    this.#places = places[Symbol.iterator]();
    this.#following = this.#take();
  }

  get done(): boolean {
    return this.#following === undefined;
  }

  next(): EventPlace[] {
    const portion: EventPlace[] = [];
    let place = this.#following;
    while (place && (portion.length < PORTION_MAX || place.position === portion.at(-1)?.position)) {
      portion.push(place);
      place = this.#take();
    }
    this.#following = place;
    return portion;
  }

  #take(): EventPlace | undefined {
    return this.#places.next().value || undefined;
  }
}
