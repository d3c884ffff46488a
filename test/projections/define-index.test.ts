/** An index at run time: it is created, fed, saved in parts, loaded again, and a wrong one is refused. */
import { describe, expect, test } from 'vitest';
import {
  defineEvents,
  defineIndex,
  event,
  type IndexDefinition,
  type IndexSink,
  type IndexSource,
} from '#src/index.js';
import { indexOf, isIndexDefinition } from '#src/projections/define-index.js';
import { recordedEvent } from '../support/recorded-event.js';

const events = defineEvents({
  tagged: event<{ tags: string[] }>(),
  dropped: event<null>(),
});

/** Streams by tag; each tag is saved as a part of its own. */
const tags = defineIndex({
  name: 'tags',
  version: 1,
  events,
  create: () => new Map<string, string[]>(),
  apply(index, group) {
    for (const e of group) {
      if (e.type !== 'tagged') continue;
      for (const tag of e.data.tags) index.set(tag, [...(index.get(tag) ?? []), e.stream]);
    }
  },
  save(index, sink) {
    for (const [tag, streams] of index) sink.write(tag, Buffer.from(streams.join('\n')));
  },
  load(source) {
    const text = (part: string) => Buffer.from(source.read(part)).toString();
    return new Map(source.parts().map((part) => [part, text(part).split('\n')]));
  },
  bytes: (index) => index.size * 100,
});

/** Parts in memory, as what a store would hand over. */
class Parts implements IndexSink, IndexSource {
  readonly #parts = new Map<string, Uint8Array>();

  write(part: string, bytes: Uint8Array): void {
    this.#parts.set(part, bytes.slice());
  }

  parts(): readonly string[] {
    return [...this.#parts.keys()];
  }

  read(part: string): Uint8Array {
    const bytes = this.#parts.get(part);
    if (bytes === undefined) throw new TypeError(part);
    return bytes;
  }
}

describe('an index', () => {
  const index = tags.create();
  tags.apply(index, [
    recordedEvent({ type: 'tagged', data: { tags: ['red', 'big'] }, stream: 'a' }),
    recordedEvent({ type: 'dropped', position: 2 }),
    recordedEvent({ type: 'tagged', data: { tags: ['red'] }, stream: 'b', position: 3 }),
  ]);

  test('takes in groups of events and tells how much it holds', () => {
    expect(index).toEqual(
      new Map([
        ['red', ['a', 'b']],
        ['big', ['a']],
      ]),
    );
    expect(tags.bytes(index)).toBe(200);
  });

  test('is saved in parts and loaded from them', () => {
    const parts = new Parts();
    tags.save(index, parts);
    expect(parts.parts()).toEqual(['red', 'big']);
    expect(tags.load(parts)).toEqual(index);
  });

  test('is frozen, known as one, and nothing else is', () => {
    expect(Object.isFrozen(tags)).toBe(true);
    expect(isIndexDefinition(tags)).toBe(true);
    for (const value of [{ ...tags }, null, 'tags']) expect(isIndexDefinition(value)).toBe(false);
  });

  test('wants the types it names, else those declared, else all', () => {
    const { create, apply, save, load, bytes } = tags;
    const rest = { name: 'x', version: 1, create, apply, save, load, bytes };
    expect(tags.types).toEqual(['dropped', 'tagged']);
    expect(defineIndex({ ...rest, events, types: ['tagged', 'tagged'] }).types).toEqual(['tagged']);
    expect(defineIndex({ ...rest, types: ['b', 'a'] }).types).toEqual(['a', 'b']);
    expect(defineIndex(rest).types).toBeUndefined();
  });

  test('has another fingerprint when name, version or types differ', () => {
    const { create, apply, save, load, bytes } = tags;
    const rest = { name: 'tags', version: 1, create, apply, save, load, bytes };
    const fingerprints = [
      tags,
      defineIndex(rest),
      defineIndex({ ...rest, name: 'other' }),
      defineIndex({ ...rest, version: 2 }),
      defineIndex({ ...rest, types: ['tagged'] }),
    ].map(({ fingerprint }) => fingerprint);
    expect(new Set(fingerprints).size).toBe(5);
    expect(defineIndex({ ...rest, events }).fingerprint).toBe(tags.fingerprint);
  });

  test('may call its own functions through this', () => {
    const own = defineIndex({
      name: 'own',
      version: 1,
      create(): number[] {
        return [];
      },
      apply: () => undefined,
      save: () => undefined,
      load(): number[] {
        return this.create();
      },
      bytes: () => 0,
    });
    expect(own.load(new Parts())).toEqual([]);
  });
});

describe('a wrong index', () => {
  const good = {
    name: 'tags',
    version: 1,
    create: (): unknown => [],
    apply: (): unknown => undefined,
    save: (): unknown => undefined,
    load: (): unknown => [],
    bytes: (): unknown => 0,
  };
  /** As JavaScript calls it. */
  const define = defineIndex as unknown as (spec: unknown) => IndexDefinition;

  test.each<[string, unknown, RegExp]>([
    ['that is nothing', null, /an index must be an object, not null/],
    ['with a member misspelt', { ...good, creat: 1 }, /no member "creat"; use create/],
    ['with a name of the store', { ...good, name: '$tags' }, /begins with '\$'/],
    ['without a version', { ...good, version: undefined }, /version .* integer from 1/],
    ['with a map for events', { ...good, events: {} }, /made by defineEvents/],
    ['without create', { ...good, create: undefined }, /create of the index "tags"/],
    ['without apply', { ...good, apply: undefined }, /apply of the index "tags"/],
    ['without save', { ...good, save: undefined }, /save of the index "tags"/],
    ['without load', { ...good, load: undefined }, /load of the index "tags"/],
    ['without bytes', { ...good, bytes: undefined }, /bytes of the index "tags"/],
    ['that waits', { ...good, apply: async () => {} }, /must be a plain function/],
    ['with a type for types', { ...good, types: 'a' }, /types .* must be a list/],
    ['with no types', { ...good, types: [] }, /at least one event type/],
    ['with a number as a type', { ...good, types: [1] }, /must be a string, not number/],
    ['with a type misspelt', { ...good, events, types: ['taged'] }, /Did you mean "tagged"\?/],
  ])('%s is a TypeError that says so', (_, spec, said) => {
    expect(() => define(spec)).toThrow(TypeError);
    expect(() => define(spec)).toThrow(said);
  });

  test.each<[string, Partial<typeof good>, (index: IndexDefinition) => unknown, RegExp]>([
    ['create', { create: () => undefined }, (index) => index.create(), /create .* undefined/],
    ['create', { create: () => Promise.reject(1) }, (index) => index.create(), /promise/],
    ['load', { load: () => undefined }, (index) => index.load(new Parts()), /load .* undefined/],
    ['load', { load: () => Promise.reject(1) }, (index) => index.load(new Parts()), /promise/],
    ['apply', { apply: () => Promise.reject(1) }, (index) => index.apply([], []), /promise/],
    ['save', { save: () => Promise.reject(1) }, (index) => index.save([], new Parts()), /promise/],
    ['bytes', { bytes: () => Number.NaN }, (index) => index.bytes([]), /bytes .* not NaN/],
    ['bytes', { bytes: () => -1 }, (index) => index.bytes([]), /bytes .* not -1/],
    ['bytes', { bytes: () => 'much' }, (index) => index.bytes([]), /bytes .* not "much"/],
  ])('whose %s gives what it must not is found out when it is called', (_, wrong, call, said) => {
    const index = define({ ...good, ...wrong });
    expect(() => call(index)).toThrow(TypeError);
    expect(() => call(index)).toThrow(said);
  });

  test("is not one whose name begins with '$' when the store itself defines it", () => {
    expect(indexOf({ ...good, name: '$tags', bytes: () => 0 } as never, true).name).toBe('$tags');
  });
});
