import { describe, expect, test } from 'vitest';
import { StoreClosedError } from '#src/errors.js';
import { type Io, rest } from '#src/log/io.js';
import type { RecordedEvent } from '#src/log/types.js';
import { IndexRuntime, type LaterIndex, type LoadedIndex } from '#src/projections/index-runtime.js';
import type { RuntimeIndexDefinition } from '#src/projections/ports.js';
import { errors, FakeLog, interpreter, plainFold, ReadFailure } from './fakes.js';

/** tag -> positions */
type Tags = Map<string, number[]>;
type Lines = string[];
interface Spied {
  readonly groups: (readonly RecordedEvent[])[];
  readonly definition: RuntimeIndexDefinition<Tags, Lines, Lines>;
}

function tagIndex(types?: readonly string[]): Spied {
  const groups: (readonly RecordedEvent[])[] = [];
  return {
    groups,
    definition: {
      name: 'tags',
      version: 1,
      ...(types ? { types } : {}),
      create: () => new Map(),
      apply(index, group) {
        groups.push(group);
        for (const { data, position } of group) {
          if (data === 'broken') throw new Error('cannot be applied');
          const tag = JSON.stringify(data);
          index.set(tag, [...(index.get(tag) ?? []), position]);
        }
      },
      *saving(index, sink) {
        for (const entry of index) {
          sink.push(JSON.stringify(entry));
          yield;
        }
      },
      *loading(source) {
        yield;
        return this.load(source);
      },
      load: (source) => new Map(source.map((line) => JSON.parse(line) as [string, number[]])),
      bytes: (index) => index.size * 100,
    },
  };
}

function runtimeOf({ definition }: Spied, given?: LoadedIndex<Tags> | LaterIndex<Tags>) {
  const { bytesOf } = plainFold;
  return new IndexRuntime({ definition, interpreter, bytesOf, errors }, given);
}

function route(log: FakeLog, runtime: { position: number; route: IndexRuntime['route'] }) {
  while (runtime.position < log.position) runtime.route(log.commit(runtime.position + 1));
}

function ended<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

const tag = (data: unknown, type = 'tagged') => ({ stream: 's', type, data });

describe('an index', () => {
  test('is given each event once, in order and in groups', () => {
    const spied = tagIndex();
    const runtime = runtimeOf(spied);
    const log = new FakeLog();
    for (let number = 0; number < 3000; number += 1) log.append(tag(number), tag('x'));
    route(log, runtime);
    expect(spied.groups.length).toBeGreaterThan(1);
    runtime.value();
    runtime.value();
    expect(spied.groups.flat().map(({ id }) => id)).toEqual(log.events().map(({ id }) => id));
    expect(spied.groups.length).toBeLessThan(100);
  });

  test('is given large events in small groups', () => {
    const spied = tagIndex();
    const runtime = runtimeOf(spied);
    const log = new FakeLog();
    for (let number = 0; number < 10; number += 1) log.append(tag('x'.repeat(1024 * 1024)));
    route(log, runtime);
    expect(spied.groups.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    runtime.value();
    expect(spied.groups.slice(7).map(({ length }) => length)).toEqual([3]);
  });

  test('is worked on a little with each commit when much waits, and in portions by who lets others have their turn', () => {
    const spied = tagIndex();
    const runtime = runtimeOf(spied);
    const log = new FakeLog();
    log.append(...Array.from({ length: 2000 }, (_, number) => tag(number)));
    for (let number = 0; number < 3; number += 1) log.append(tag(number));
    route(log, runtime);
    expect(spied.groups.map(({ length }) => length)).toEqual([64, 64, 64, 64]);
    let turns = 0;
    for (const _ of runtime.read()) turns += 1;
    expect(spied.groups.every(({ length }) => length <= 64)).toBe(true);
    expect(turns).toBe(spied.groups.length - 4);
    expect(spied.groups.flat().map(({ id }) => id)).toEqual(log.events().map(({ id }) => id));
  });

  test('sees all that is routed when it is read', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'));
    route(log, runtime);
    expect(runtime.value()).toEqual(new Map([['"a"', [1]]]));
    log.append(tag('a'), tag('b'));
    route(log, runtime);
    expect(runtime.value().get('"a"')).toEqual([1, 2]);
  });

  test('is given the types it wants, upcast', () => {
    const spied = tagIndex(['tagged']);
    const runtime = runtimeOf(spied);
    const log = new FakeLog();
    log.append(tag('a'), tag('b', 'other'), { ...tag('c'), schemaVersion: 2 });
    route(log, runtime);
    runtime.value();
    expect(spied.groups.flat().map(({ data }) => data)).toEqual(['a', { upcast: 'c' }]);
  });

  test('that throws is stopped as a whole, and says where and why', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'));
    route(log, runtime);
    runtime.value();
    log.append(tag('b'));
    log.append(tag('broken'));
    route(log, runtime);
    const save = () => ended(runtime.save([]));
    for (const read of [() => runtime.value(), save, () => runtime.value()]) {
      expect(read).toThrow(ReadFailure);
      expect(read).toThrow(expect.objectContaining({ projection: 'tags', position: 2 }));
    }
    log.append(tag('c'));
    route(log, runtime);
    expect(() => runtime.value()).toThrow(expect.objectContaining({ event: '2.0' }));
  });

  test('is stopped by an event that the reader does not know', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'), { ...tag('b'), schemaVersion: 9 });
    route(log, runtime);
    expect(() => runtime.value()).toThrow(expect.objectContaining({ event: '1.1' }));
  });

  test('goes on from where it was saved', () => {
    const log = new FakeLog();
    const first = runtimeOf(tagIndex());
    log.append(tag('a'), tag('b'));
    route(log, first);
    const lines: Lines = [];
    const { position } = first;
    ended(first.save(lines));
    expect(lines.length).toBe(2);
    const spied = tagIndex();
    const index = spied.definition.load(lines);
    const second = runtimeOf(spied, { position, index });
    log.append(tag('a'));
    for (const runtime of [first, second]) route(log, runtime);
    expect(second.value()).toEqual(first.value());
    expect(spied.groups.flat().map(({ id }) => id)).toEqual(['2.0']);
  });

  test('that is read while it is saved, and something waits, is no longer saved', () => {
    const log = new FakeLog();
    const spied = tagIndex();
    const runtime = runtimeOf(spied);
    log.append(tag('a'), tag('b'), tag('c'));
    route(log, runtime);
    const lines: Lines = [];
    const work = runtime.save(lines);
    work.next();
    log.append(tag('a'), tag('d'));
    route(log, runtime);
    work.next();
    // Nobody read it: it is as it was.
    expect(spied.groups).toHaveLength(1);
    expect(lines).toHaveLength(2);
    // The reader sees what was routed, and does nothing for the saver.
    expect(runtime.value().get('"a"')).toEqual([1, 2]);
    expect(lines).toHaveLength(2);
    expect(work.next()).toEqual({ done: true, value: false });
    expect(lines).toHaveLength(2);
    // From now on it is worked on, and saved, as before.
    const again: Lines = [];
    expect(ended(runtime.save(again))).toBe(true);
    expect(again).toHaveLength(4);
  });

  test('gives its saver the chance to end what it began when a reader came', () => {
    const log = new FakeLog();
    const { definition } = tagIndex();
    let isEnded = false;
    const runtime = runtimeOf({
      groups: [],
      definition: {
        ...definition,
        *saving() {
          try {
            for (;;) yield;
          } finally {
            isEnded = true;
          }
        },
      },
    });
    log.append(tag('a'));
    route(log, runtime);
    const work = runtime.save([]);
    work.next();
    log.append(tag('b'));
    route(log, runtime);
    expect(runtime.value().size).toBe(2);
    expect(work.next()).toEqual({ done: true, value: false });
    expect(isEnded).toBe(true);
  });

  test('goes on when it could not be saved, or nobody goes on saving it', () => {
    for (const ends of ['throws', 'is left']) {
      const spied = tagIndex();
      const definition: typeof spied.definition = {
        ...spied.definition,
        *saving() {
          yield;
          throw new Error('cannot be saved');
        },
      };
      const runtime = runtimeOf({ ...spied, definition });
      const log = new FakeLog();
      log.append(tag('a'));
      route(log, runtime);
      const work = runtime.save([]);
      work.next();
      if (ends === 'throws') expect(() => work.next()).toThrow('cannot be saved');
      else work.return(false);
      for (let number = 0; number < 1500; number += 1) log.append(tag(number));
      route(log, runtime);
      expect(spied.groups.length).toBeGreaterThan(2);
      expect(runtime.value().size).toBe(1501);
    }
  });

  test('is read while it is saved, which goes on when nothing waits', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'), tag('b'), tag('c'));
    route(log, runtime);
    const lines: Lines = [];
    const work = runtime.save(lines);
    work.next();
    expect(runtime.value().size).toBe(3);
    expect(lines).toHaveLength(1);
    ended(work);
    expect(lines).toHaveLength(3);
  });

  test('is saved whole by whoever began, when another begins', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'), tag('b'), tag('c'));
    route(log, runtime);
    const [early, late]: [Lines, Lines] = [[], []];
    const work = runtime.save(early);
    work.next();
    ended(runtime.save(late));
    ended(work);
    expect(early).toHaveLength(3);
    expect(late).toEqual(early);
  });

  test('that is closed while it is saved tells so', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('a'), tag('b'));
    route(log, runtime);
    const work = runtime.save([]);
    work.next();
    runtime.close();
    expect(() => work.next()).toThrow(StoreClosedError);
  });

  test('is loaded in portions', () => {
    const { definition } = tagIndex();
    const { bytesOf } = plainFold;
    const saved = { position: 7, source: ['["\\"a\\"",[1]]'] };
    const work = IndexRuntime.begin({ definition, interpreter, bytesOf, errors }, saved);
    expect(work.next().done).toBe(false);
    const { value } = work.next();
    expect((value as IndexRuntime<Tags>).value()).toEqual(new Map([['"a"', [1]]]));
    expect((value as IndexRuntime<Tags>).position).toBe(7);
  });

  test('that is loaded later stands where it was saved, then where it could be loaded', () => {
    const tags: Tags = new Map([['"a"', [1]]]);
    function* load(): Io<LoadedIndex<Tags>> {
      yield* rest();
      return { position: 5, index: tags };
    }
    const runtime = runtimeOf(tagIndex(), { position: 7, load });
    expect([runtime.isLoaded, runtime.position, runtime.bytes]).toEqual([false, 7, 0]);
    // Two at once: the first that comes to an end counts.
    const [one, other] = [runtime.load(), runtime.load()];
    one.next();
    ended(other);
    expect([runtime.isLoaded, runtime.position, runtime.bytes]).toEqual([true, 5, 100]);
    const log = new FakeLog();
    for (let n = 0; n < 8; n += 1) log.append(tag('b'));
    route(log, runtime);
    ended(one);
    expect(runtime.position).toBe(8);
    expect(runtime.value().get('"b"')).toEqual([6, 7, 8]);
  });

  test('that is closed while it is loaded stays closed', () => {
    function* load(): Io<LoadedIndex<Tags>> {
      yield* rest();
      return { position: 7, index: new Map() };
    }
    const runtime = runtimeOf(tagIndex(), { position: 7, load });
    const work = runtime.load();
    work.next();
    runtime.close();
    ended(work);
    expect(runtime.position).toBe(-1);
    expect(() => runtime.value()).toThrow(StoreClosedError);
  });

  test('tells its size, with what waits to be applied', () => {
    const runtime = runtimeOf(tagIndex());
    const log = new FakeLog();
    log.append(tag('abc'));
    route(log, runtime);
    expect(runtime.bytes).toBe(5);
    runtime.value();
    expect(runtime.bytes).toBe(100);
  });

  test('tells the size of what waits when its own function for that throws', () => {
    const { definition } = tagIndex();
    const broken = {
      ...definition,
      bytes(): number {
        throw new Error('cannot tell');
      },
    };
    const { bytesOf } = plainFold;
    const interpreted = { definition: broken, interpreter, bytesOf, errors };
    const runtime = new IndexRuntime(interpreted);
    const log = new FakeLog();
    log.append(tag('abc'));
    route(log, runtime);
    expect(runtime.bytes).toBe(5);
    expect(runtime.value().size).toBe(1);
    expect(runtime.bytes).toBe(0);
  });

  test('cannot be read when it is closed', () => {
    const runtime = runtimeOf(tagIndex());
    runtime.close();
    expect(() => runtime.value()).toThrow(StoreClosedError);
    expect(runtime.bytes).toBe(0);
  });
});
