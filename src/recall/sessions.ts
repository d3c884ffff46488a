/** The turns of each session, in order, and how much is said in them. */
import { withRoom } from './growing.js';

interface Session {
  readonly name: string;
  /** Ordinals of the turns. */
  turns: number[];
  sorted: boolean;
  /** Words of all turns. */
  length: number;
}

/** Whether one turn comes before another: below 0 when it does. */
export type Compare = (one: number, other: number) => number;

export class Sessions {
  readonly #names = new Map<string, number>();
  readonly #sessions: Session[] = [];
  /** Of each ordinal. */
  #places = new Uint32Array(1024);
  #open = 0;
  #length = 0;

  /** The number of a session, a new one when it is seen for the first time. */
  idOf(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const id = this.#sessions.length;
    this.#names.set(name, id);
    this.#sessions.push({ name, turns: [], sorted: true, length: 0 });
    return id;
  }

  /** Sessions ever seen. */
  get size(): number {
    return this.#sessions.length;
  }

  nameOf(id: number): string {
    return (this.#sessions[id] as Session).name;
  }

  /** Words of a session. */
  lengthOf(id: number): number {
    return (this.#sessions[id] as Session).length;
  }

  /** Words of a session that has any, on average. */
  get averageLength(): number {
    return this.#open === 0 ? 0 : this.#length / this.#open;
  }

  turnsIn(id: number): number {
    return (this.#sessions[id] as Session).turns.length;
  }

  add(id: number, ordinal: number, length: number, compare: Compare): void {
    const session = this.#sessions[id] as Session;
    const last = session.turns.at(-1);
    if (last === undefined) this.#open += 1;
    else if (compare(last, ordinal) > 0) session.sorted = false;
    this.#places = withRoom(this.#places, ordinal + 1);
    this.#places[ordinal] = session.turns.length;
    session.turns.push(ordinal);
    session.length += length;
    this.#length += length;
  }

  remove(id: number, ordinal: number, length: number): void {
    const session = this.#sessions[id] as Session;
    const { turns } = session;
    const place = turns[this.#places[ordinal] as number] === ordinal ? this.#places[ordinal] : -1;
    turns.splice(place === -1 ? turns.indexOf(ordinal) : (place as number), 1);
    // Places behind it are one too high.
    session.sorted = false;
    if (turns.length === 0) this.#open -= 1;
    session.length -= length;
    this.#length -= length;
  }

  /** The turn so many places behind another one, or before it; undefined beyond the ends. */
  neighbour(id: number, ordinal: number, distance: number, compare: Compare): number | undefined {
    const session = this.#sessions[id] as Session;
    if (!session.sorted) {
      session.turns.sort(compare);
      for (const [place, turn] of session.turns.entries()) this.#places[turn] = place;
      session.sorted = true;
    }
    return session.turns[(this.#places[ordinal] as number) + distance];
  }

  /** About, bytes. */
  get bytes(): number {
    let bytes = this.#places.byteLength;
    for (const { turns } of this.#sessions) bytes += 120 + 8 * turns.length;
    return bytes;
  }
}
