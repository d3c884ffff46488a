/** History, blame and diff of a store tell the same story as a plain left fold of its log, whatever happened in it. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  applyPatch,
  defineProjection,
  type HistoryEntry,
  openStoreSync,
  type Projection,
  type RecordedEvent,
  removed,
  replayStore,
  type Store,
} from '#src/index.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

const KEYS = ['a', 'a/1', 'a/2', 'b', '__proto__'];
const NAMES = ['x', 'y', 'constructor', 'a/b'];

interface Note {
  fields: Record<string, unknown>;
  list: unknown[];
}

interface Change {
  readonly keys: readonly string[];
  readonly name: string;
  readonly value: unknown;
}

/** What an event does to a state, a draft or not; `undefined` where the key is gone. Throws for an event that cannot be folded. */
const changes: Record<string, (note: Note, change: Change) => void> = {
  set({ fields }, { name, value }) {
    fields[name] = value;
  },
  unset({ fields }, { name }) {
    delete fields[name];
  },
  pushed({ list }, { value }) {
    list.push(value);
  },
  put({ list }, { value }) {
    list.unshift(value);
  },
  pulled({ list }) {
    list.splice(list.length >> 1, 1);
  },
  broken() {
    throw new Error('cannot be folded');
  },
};

const notes: Projection<Note> = defineProjection<Note>({
  name: 'notes',
  version: 1,
  initial: { fields: {}, list: [] },
  key: ({ data }) => (data as Change).keys,
  on: {
    ...Object.fromEntries(
      Object.entries(changes).map(([type, change]) => [
        type,
        (note: Note, { data }: RecordedEvent) => change(note, data as Change),
      ]),
    ),
    dropped: () => removed,
    seen: () => undefined,
  },
});

interface Model {
  readonly state: Note | undefined;
  /** Position at which it stopped. */
  readonly stopped?: number;
}

/** What a key is after each commit, from position 0 on: plain objects, changed in place and copied. */
function modelOf(key: string, commits: readonly (readonly Written[])[]): Model[] {
  let model: Model = { state: undefined };
  const models = [model];
  for (const [index, commit] of commits.entries()) {
    if (model.stopped === undefined) {
      try {
        let state = structuredClone(model.state);
        for (const { type, data } of commit) {
          if (!data.keys.includes(key)) continue;
          if (type === 'dropped') state = undefined;
          else {
            state ??= { fields: {}, list: [] };
            changes[type]?.(state, structuredClone(data));
          }
        }
        model = { state };
      } catch {
        model = { state: undefined, stopped: index + 1 };
      }
    }
    models.push(model);
  }
  return models;
}

const value = fc.oneof(
  fc.nat(2),
  fc.constantFrom<unknown>('v', null, [], {}, [1, 2], { x: 1, y: { z: [1] } }, { x: 2 }),
);

const written = fc.record({
  type: fc.oneof(
    {
      weight: 40,
      arbitrary: fc.constantFrom('set', 'set', 'unset', 'pushed', 'put', 'pulled', 'seen'),
    },
    { weight: 4, arbitrary: fc.constant('dropped') },
    { weight: 1, arbitrary: fc.constant('broken') },
  ),
  data: fc.record({
    keys: fc.uniqueArray(fc.constantFrom(...KEYS), { maxLength: 3 }),
    name: fc.constantFrom(...NAMES),
    value,
  }),
});
type Written = typeof written extends fc.Arbitrary<infer One> ? One : never;

const commitsOf = fc.array(fc.array(written, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 12,
});

function storeOf(commits: readonly (readonly Written[])[], cacheBytes: number): Store {
  const store = openStoreSync({ memory: true, projections: [notes], cacheBytes });
  for (const events of commits) store.appendSync('notes', events);
  return store;
}

/** What a history gives, and the position at which it failed. */
function told(entries: Iterable<HistoryEntry>): { story: HistoryEntry[]; stopped?: number } {
  const story: HistoryEntry[] = [];
  try {
    for (const entry of entries) story.push(entry);
  } catch (error) {
    return { story, stopped: (error as { position: number }).position };
  }
  return { story };
}

const runs = { seed, numRuns: times(150) };

test(
  'the patches of a history, applied from nothing on, make the state as of every position',
  () => {
    fc.assert(
      fc.property(commitsOf, fc.constantFrom(0, 1e6), (commits, cacheBytes) => {
        const store = storeOf(commits, cacheBytes);
        for (const key of KEYS) {
          const models = modelOf(key, commits);
          const { story, stopped } = told(store.historySync(notes, key));
          expect(stopped).toBe(models.at(-1)?.stopped);
          const own = commits.flatMap((events, index) =>
            events.filter(({ data }) => data.keys.includes(key)).map(() => index + 1),
          );
          const positions = own.filter((position) => position < (stopped ?? Infinity));
          expect(story.map(({ event }) => event.position)).toEqual(positions);
          let state: unknown;
          let next = 0;
          for (const [position, model] of models.entries()) {
            if (model.stopped !== undefined) {
              expect(() => store.at(position).getSync(notes, key)).toThrow('cannot be folded');
              continue;
            }
            for (; story[next]?.event.position === position; next += 1) {
              state = applyPatch(state, story[next]?.patches ?? []);
            }
            expect(isDeepStrictEqual(state, model.state)).toBe(true);
            expect(isDeepStrictEqual(store.at(position).getSync(notes, key), model.state)).toBe(
              true,
            );
          }
          expect(next).toBe(story.length);
        }
      }),
      runs,
    );
  },
  timeoutMs,
);

test(
  'a part of a history is that part of the whole',
  () => {
    fc.assert(
      fc.property(commitsOf, fc.nat(12), fc.nat(12), (commits, one, other) => {
        const store = storeOf(commits, 1e6);
        const from = Math.min(one, other, commits.length);
        const to = Math.min(Math.max(one, other), commits.length);
        for (const key of KEYS) {
          const whole = told(store.historySync(notes, key));
          const part = told(store.historySync(notes, key, { from, to }));
          const within = ({ event: { position } }: HistoryEntry) =>
            position >= from && position <= to;
          expect(part.story).toEqual(whole.story.filter(within));
          const stops = whole.stopped !== undefined && whole.stopped <= to;
          expect(part.stopped).toBe(stops ? whole.stopped : undefined);
        }
      }),
      runs,
    );
  },
  timeoutMs,
);

/** Elements of lists move when others come and go. */
const withoutPlaces = (path: string): string => path.replaceAll(/\/\d+(?=\/|$)/g, '/*');

function leavesOf(part: unknown, path = ''): [string, unknown][] {
  if (typeof part !== 'object' || part === null) return [[path, part]];
  const keys = Object.keys(part);
  if (keys.length === 0) return [[path, part]];
  if (!Array.isArray(part)) keys.sort();
  return keys.flatMap((key) =>
    leavesOf(
      (part as Record<string, unknown>)[key],
      `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    ),
  );
}

/** Whether the patches of an event set that leaf, or something that holds it, or emptied it. */
function touches({ patches }: HistoryEntry, path: string, leaf: unknown): boolean {
  const place = `${withoutPlaces(path)}/`;
  return patches.some((patch) => {
    const changed = `${withoutPlaces(patch.path)}/`;
    const emptied = typeof leaf === 'object' && changed.startsWith(place);
    return place.startsWith(changed) || emptied;
  });
}

test(
  'blame names every leaf of the state, and for each an event of the history that touched it',
  () => {
    fc.assert(
      fc.property(commitsOf, (commits) => {
        const store = storeOf(commits, 1e6);
        for (const key of KEYS) {
          const state = modelOf(key, commits).at(-1) as Model;
          if (state.stopped !== undefined) {
            expect(() => store.blameSync(notes, key)).toThrow('cannot be folded');
            continue;
          }
          const blamed = store.blameSync(notes, key);
          const leaves = state.state === undefined ? [] : leavesOf(state.state);
          const found = blamed.map(({ path, value: leaf }) => [path, leaf]);
          expect(isDeepStrictEqual(found, leaves)).toBe(true);
          const story = store.historySync(notes, key).toArray();
          for (const { path, value: leaf, event } of blamed) {
            const entry = story.find(({ event: { id } }) => id === event.id);
            expect(entry && touches(entry, path, leaf), `${key}${path} ${event.id}`).toBe(true);
          }
        }
      }),
      runs,
    );
  },
  timeoutMs,
);

test(
  'diff finds all keys that differ between two positions, and the patches lead from one to the other',
  () => {
    fc.assert(
      fc.property(
        commitsOf,
        fc.nat(12),
        fc.nat(12),
        fc.constantFrom('', 'a', 'a/', 'c'),
        (commits, one, other, prefix) => {
          const store = storeOf(commits, 1e6);
          const [from, to] = [Math.min(one, commits.length), Math.min(other, commits.length)];
          const models = new Map(KEYS.map((key) => [key, modelOf(key, commits)]));
          const concerned = KEYS.filter((key) => key.startsWith(prefix)).sort();
          const stops = ([, list]: [string, Model[]]) =>
            list[from]?.stopped !== undefined || list[to]?.stopped !== undefined;
          // A key that stopped, and does not differ, need not be looked at.
          if ([...models].some(stops)) return;
          const expected = concerned.flatMap((key) => {
            const before = models.get(key)?.[from]?.state;
            const after = models.get(key)?.[to]?.state;
            return isDeepStrictEqual(before, after) ? [] : [{ key, before, after }];
          });
          const found = store.diffSync(notes, { prefix }, from, to).toArray();
          const states = found.map(({ key, before, after }) => ({ key, before, after }));
          expect(isDeepStrictEqual(states, expected)).toBe(true);
          for (const { before, after, patches } of found) {
            expect(isDeepStrictEqual(applyPatch(before, patches), after)).toBe(true);
          }
        },
      ),
      runs,
    );
  },
  timeoutMs,
);

test(
  'a replay agrees with the store as of every position',
  async () => {
    await fc.assert(
      fc.asyncProperty(commitsOf, async (commits) => {
        const directory = temporaryDirectory();
        const store = openStoreSync(directory, { projections: [notes], durability: 'os' });
        for (const events of commits) store.appendSync('notes', events);
        store.closeSync();
        for (let to = 0; to <= commits.length; to += 3) {
          const { projections, ok } = await replayStore(directory, { projections: [notes], to });
          expect(ok).toBe(true);
          const models = KEYS.map((key) => modelOf(key, commits)[to] as Model);
          expect(projections).toMatchObject([
            {
              keys: models.filter(({ state }) => state !== undefined).length,
              failed: models.filter(({ stopped }) => stopped !== undefined).length,
            },
          ]);
        }
      }),
      { seed, numRuns: times(15) },
    );
  },
  timeoutMs,
);
