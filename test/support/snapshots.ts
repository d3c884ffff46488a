/** A store with projections of all kinds, and what reading it must give: a plain fold of the events that were appended. */
import { isDeepStrictEqual } from 'node:util';
import { ProjectionFailedError } from '#src/errors.js';
import type { NewEvent } from '#src/log/types.js';
import { defineIndex, defineProjection, removed } from '#src/store.js';
import type { SeededRandom } from './random.js';

export interface Counter {
  n: number;
  seen: Set<number>;
  by?: Map<string, number>;
}

interface Data {
  readonly by: number;
  readonly tags: readonly string[];
}

/** Its key is the stream. */
export const counter = defineProjection({
  name: 'Counter/of streams',
  version: 1,
  initial: (): Counter => ({ n: 0, seen: new Set<number>() }),
  on: {
    added: (draft, event) => {
      const { by, tags } = event.data as Data;
      draft.n += by;
      draft.seen.add(by % 7);
      for (const tag of tags) {
        draft.by ??= new Map<string, number>();
        draft.by.set(tag, by);
      }
    },
    dropped: () => removed,
    broke: () => {
      throw new RangeError('it broke');
    },
  },
});

/** Its keys are the tags of an event, none or several. */
export const tagged = defineProjection({
  name: 'tagged',
  version: 2,
  initial: { n: 0, last: '' },
  key: (event) => (event.data as Data | null)?.tags ?? [],
  on: {
    added: (draft, event) => {
      draft.n += (event.data as Data).by;
      draft.last = event.stream;
    },
  },
});

export const sum = defineIndex({
  name: 'sum',
  version: 1,
  create: () => ({ total: 0, streams: new Map<string, number>() }),
  apply(index, group) {
    for (const { stream, data } of group) {
      const by = (data as Data | null)?.by ?? 0;
      index.total += by;
      index.streams.set(stream, (index.streams.get(stream) ?? 0) + by);
    }
  },
  save(index, sink) {
    sink.write('total', Buffer.from(String(index.total)));
    sink.write('streams', Buffer.from(JSON.stringify([...index.streams])));
  },
  load(source) {
    const text = (part: string) => Buffer.from(source.read(part)).toString();
    return {
      total: Number(text('total')),
      streams: new Map(JSON.parse(text('streams')) as [string, number][]),
    };
  },
  bytes: (index) => 64 + 32 * index.streams.size,
});

export const derived = { projections: [counter, tagged], indexes: [sum] };

export interface Told {
  readonly stream: string;
  readonly event: NewEvent;
}

/** An event by chance, of few streams and fewer tags. */
export function eventBy(random: SeededRandom, streams = 20): Told {
  const stream = `${random.pick(['a', 'b', 'ü', 'a/b'])}/${random.below(streams)}`;
  const chance = random.below(100);
  if (chance < 8) return { stream, event: { type: 'dropped', data: null } };
  if (chance === 8) return { stream, event: { type: 'broke', data: null } };
  const tags = Array.from({ length: random.below(3) }, () => `tag ${random.below(6)}`);
  return { stream, event: { type: 'added', data: { by: random.below(1000), tags } } };
}

/** A state, `undefined` for none, or the position at which the key stopped. */
export type Folded = { readonly state: unknown } | { readonly stoppedAt: number };

/** Both projections as of a position, each event one commit; no cache, no draft, no file. */
export class PlainFold {
  readonly #told: readonly Told[];

  constructor(told: readonly Told[]) {
    this.#told = told;
  }

  counters(to: number): Map<string, Folded> {
    const states = new Map<string, Folded>();
    for (const [index, { stream, event }] of this.#told.slice(0, to).entries()) {
      const known = states.get(stream);
      if (known && 'stoppedAt' in known) continue;
      if (event.type === 'broke') states.set(stream, { stoppedAt: index + 1 });
      else if (event.type === 'dropped') states.delete(stream);
      else states.set(stream, { state: added(known?.state as Counter | undefined, event) });
    }
    return states;
  }

  tags(to: number): Map<string, Folded> {
    const states = new Map<string, Folded>();
    for (const { stream, event } of this.#told.slice(0, to)) {
      if (event.type !== 'added') continue;
      const { by, tags } = event.data as Data;
      for (const tag of new Set(tags)) {
        const known = states.get(tag);
        const before = known && 'state' in known ? (known.state as { n: number }) : { n: 0 };
        states.set(tag, { state: { n: before.n + by, last: stream } });
      }
    }
    return states;
  }

  total(to: number): number {
    return this.#told
      .slice(0, to)
      .reduce((total, { event }) => total + ((event.data as Data | null)?.by ?? 0), 0);
  }
}

function added(before: Counter | undefined, event: NewEvent): Counter {
  const { by, tags } = event.data as Data;
  const state: Counter = before ? structuredClone(before) : { n: 0, seen: new Set<number>() };
  state.n += by;
  state.seen.add(by % 7);
  for (const tag of tags) {
    state.by ??= new Map<string, number>();
    state.by.set(tag, by);
  }
  return state;
}

/** What a read came to. */
export function toldBy(read: () => unknown): Folded {
  try {
    return { state: read() };
  } catch (error) {
    if (error instanceof ProjectionFailedError) return { stoppedAt: error.position };
    throw error;
  }
}

/** Keys in order, up to the first that stopped; as a listing gives them. */
export function listedOf(
  states: ReadonlyMap<string, Folded>,
  {
    prefix = '',
    after,
    limit = Number.POSITIVE_INFINITY,
  }: { prefix?: string; after?: string; limit?: number },
): { readonly entries: readonly (readonly [string, unknown])[]; readonly stoppedAt?: number } {
  const entries: (readonly [string, unknown])[] = [];
  for (const key of [...states.keys()].sort()) {
    if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
    if (entries.length === limit) break;
    const folded = states.get(key) as Folded;
    if ('stoppedAt' in folded) return { entries, stoppedAt: folded.stoppedAt };
    entries.push([key, folded.state]);
  }
  return { entries };
}

export function sameFold(one: Folded | undefined, other: Folded | undefined): boolean {
  return isDeepStrictEqual(one ?? { state: undefined }, other ?? { state: undefined });
}
