/** An inverted index over tags, as an index that is not one small value per key; and a place to save its parts to. */
import { defineIndex, type IndexDefinition, type IndexSink, type IndexSource } from '#src/index.js';

/** Streams by tag, and how often each has it. */
export interface TagIndex {
  readonly tags: Map<string, Map<string, number>>;
  /** Events of each group that was applied. */
  readonly groups: number[];
  readonly positions: string[];
}

const PART_TAGS = 3;

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function parsed<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

type Rows = [tag: string, streams: [string, number][]][];

/** @param parts - saved in parts of a few tags each, or as a whole */
export function tagIndexOf(parts: boolean, name = 'tags'): IndexDefinition<TagIndex> {
  return defineIndex({
    name,
    version: 1,
    types: ['note.tagged'],
    create: (): TagIndex => ({ tags: new Map(), groups: [], positions: [] }),
    apply({ tags, groups, positions }, group) {
      groups.push(group.length);
      for (const { id, stream, data } of group) {
        positions.push(id);
        for (const tag of (data as { tags: readonly string[] }).tags) {
          if (tag === 'broken') throw new RangeError('a tag that cannot be');
          const streams = tags.get(tag) ?? new Map<string, number>();
          streams.set(stream, (streams.get(stream) ?? 0) + 1);
          tags.set(tag, streams);
        }
      }
    },
    save({ tags, positions }, sink) {
      const rows: Rows = [...tags].map(([tag, streams]) => [tag, [...streams]]);
      sink.write('positions', bytesOf(positions));
      const size = parts ? PART_TAGS : Math.max(1, rows.length);
      for (let at = 0; at < rows.length; at += size) {
        sink.write(`tags-${at}`, bytesOf(rows.slice(at, at + size)));
      }
    },
    load(source) {
      const tags: TagIndex['tags'] = new Map();
      for (const part of source.parts()) {
        if (!part.startsWith('tags-')) continue;
        for (const [tag, streams] of parsed<Rows>(source.read(part))) {
          tags.set(tag, new Map(streams));
        }
      }
      return { tags, groups: [], positions: parsed<string[]>(source.read('positions')) };
    },
    bytes: ({ tags, positions }) => 64 + 100 * tags.size + 20 * positions.length,
  });
}

/** What an index wrote, kept in memory. */
export class SavedParts implements IndexSink, IndexSource {
  readonly #parts = new Map<string, Uint8Array>();

  write(part: string, bytes: Uint8Array): void {
    if (this.#parts.has(part)) throw new TypeError(`${part} was written already`);
    this.#parts.set(part, bytes.slice());
  }

  parts(): readonly string[] {
    return [...this.#parts.keys()];
  }

  read(part: string): Uint8Array {
    const bytes = this.#parts.get(part);
    if (!bytes) throw new TypeError(`there is no part ${part}`);
    return bytes.slice();
  }
}

/** The answers that an index gives, to compare two of them. */
export function answersOf({ tags, positions }: TagIndex): unknown {
  return {
    tags: [...tags].map(([tag, streams]) => [tag, [...streams].sort()]).sort(),
    positions,
  };
}
