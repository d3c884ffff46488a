/**
 * What a memory can find: the states of all models as texts, in an index that the store keeps up with the log. Only the models' own folds say what is there,
 * so what was deleted, undone or replaced is never found, whatever kind of event did it.
 *
 * Invariants:
 * - each state is what the model's projection folds of its stream, and each text that of its state;
 * - a text whose source did not change is not read again;
 * - a stream that cannot be folded has no texts, and nothing else suffers.
 */
import type { Ranked } from '../recall/document.js';
import { fuse } from '../recall/fuse.js';
import { RecallIndex } from '../recall/recall-index.js';
import {
  ABSENT,
  defineIndex,
  fold,
  type IndexDefinition,
  type IndexSink,
  type IndexSource,
  type RecordedEvent,
} from '../store.js';
import type { ModelDefinition } from './model-definition.js';
import type { RecallFacts, RecallModel, RecallPart } from './recall-model.js';

interface Model {
  readonly definition: ModelDefinition;
  readonly recall: RecallModel;
}

/** The event that changed a text last. */
interface Stamp {
  readonly position: number;
  readonly time: string;
  readonly actor?: string;
}

interface Entry {
  readonly model: string;
  /** What the model declares: looked at for every candidate. */
  readonly recall: RecallModel;
  readonly stream: string;
  readonly part: RecallPart;
  readonly stamp: Stamp | undefined;
}

/** A text that may be found. */
export interface Candidate {
  readonly model: string;
  readonly stream: string;
  readonly part: RecallPart;
  readonly state: unknown;
  /** With the actor, position and, where the model tells none, time of its last change. */
  readonly facts: RecallFacts;
}

export interface Found extends Candidate {
  readonly score: number;
  readonly reasons: Ranked['reasons'];
}

export interface FindOptions {
  readonly limit: number;
  /** ISO 8601: what is over by then is not found, and `last week` refers to it. */
  readonly now: string;
  /** Default: all. */
  readonly models?: readonly string[] | undefined;
  readonly accepts?: ((candidate: Candidate) => boolean) | undefined;
  /** Also what is out of use. Default false. */
  readonly retired?: boolean | undefined;
}

/** Behind this the name of a part stands; no stream has it in its name. */
const SEPARATOR = '\u0000';
/** What is as important as this can be had without being asked for. */
export const IMPORTANT = 0.8;
const STATES_IN_PART = 256;

export class MemoryIndex {
  readonly #models: ReadonlyMap<string, Model>;
  readonly #modelOfType = new Map<string, string>();
  readonly #states = new Map<string, unknown>();
  /** Streams that could not be folded. */
  readonly #stopped = new Set<string>();
  readonly #entries = new Map<string, Entry>();
  /** Of each stream the names of its parts, without that of a state that is one text. */
  readonly #named = new Map<string, Set<string>>();
  readonly #important = new Set<string>();
  #texts: RecallIndex;

  constructor(definitions: readonly ModelDefinition[], language: string) {
    this.#models = new Map(
      definitions.flatMap((definition) =>
        definition.recall ? [[definition.name, { definition, recall: definition.recall }]] : [],
      ),
    );
    for (const [name, { definition }] of this.#models) {
      for (const type of definition.events.types) this.#modelOfType.set(type, name);
    }
    this.#texts = new RecallIndex(language);
  }

  /** Texts that there are, expired ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /** About how much memory it takes, bytes. */
  get bytes(): number {
    return this.#texts.bytes + 400 * this.#entries.size + 600 * this.#states.size;
  }

  /** Takes an event in; those of no model that can be found change nothing. */
  apply(event: RecordedEvent): void {
    const name = this.#modelOfType.get(event.type);
    const { stream } = event;
    const model = name === undefined ? undefined : this.#models.get(name);
    if (!model || !stream.startsWith(`${name}/`) || this.#stopped.has(stream)) return;
    const before = this.#states.has(stream) ? this.#states.get(stream) : ABSENT;
    let after: unknown;
    try {
      after = fold(model.definition.projection, stream, before, [event]);
      this.#change(stream, before === ABSENT ? undefined : before, after, event);
    } catch {
      // Reading its key from the store says why.
      this.#stopped.add(stream);
      this.#change(stream, undefined, ABSENT, undefined);
    }
  }

  /** Takes a state in as it is, without knowing the events. */
  putState(stream: string, state: unknown): void {
    this.#change(stream, undefined, state, undefined);
  }

  /** The texts that answer a question, best first. */
  find(query: string, { limit, now, models, accepts, retired = false }: FindOptions): Found[] {
    const wanted = models && new Set(models);
    const byWords = this.#texts.search(query, {
      limit,
      now: Date.parse(now),
      accepts: (id) => {
        const entry = this.#entries.get(id);
        if (!entry || wanted?.has(entry.model) === false) return false;
        if (!this.#isThere(entry, now, retired)) return false;
        return accepts === undefined || accepts(this.#candidate(entry));
      },
    });
    // One source now; what finds by meaning would be a second ranking here.
    return fuse([byWords], ({ id }) => id).map(({ item: { id, score, reasons } }) => {
      const candidate = this.#candidate(this.#entries.get(id) as Entry);
      return { ...candidate, score, reasons };
    });
  }

  /** Texts of importance 0.8 and more, in no order. */
  *important(now: string): Iterable<Candidate> {
    for (const id of this.#important) {
      const entry = this.#entries.get(id) as Entry;
      if (this.#isThere(entry, now, false)) yield this.#candidate(entry);
    }
  }

  /** The texts of one stream. */
  *of(stream: string, now: string): Iterable<Candidate> {
    for (const part of this.#partsOf(stream)) {
      const entry = this.#entries.get(idOf(stream, part)) as Entry;
      if (this.#isThere(entry, now, true)) yield this.#candidate(entry);
    }
  }

  /** What a model declares. */
  recallOf(model: string): RecallModel {
    return this.#models.get(model)?.recall as RecallModel;
  }

  /** Whether two texts have a word in common that tells something. */
  share(one: string, other: string): boolean {
    const terms = this.#texts.termsOf(one);
    for (const term of this.#texts.termsOf(other)) if (terms.has(term)) return true;
    return false;
  }

  /** In portions; the index stays as it is meanwhile. */
  *save(sink: IndexSink): Generator<void, void> {
    yield* this.#texts.saving((part, bytes) => sink.write(`text-${part}`, bytes));
    let rows: unknown[] = [];
    let part = 0;
    const write = () => {
      if (rows.length === 0) return;
      sink.write(`states-${part}`, encoded(rows));
      part += 1;
      rows = [];
    };
    for (const [stream, state] of this.#states) {
      const stamps = this.#partsOf(stream).map((name) => [
        name,
        this.#entries.get(idOf(stream, name))?.stamp ?? null,
      ]);
      rows.push([stream, state, stamps]);
      if (rows.length < STATES_IN_PART) continue;
      write();
      yield;
    }
    write();
    sink.write('stopped', encoded([...this.#stopped]));
  }

  /** @throws for what `save` did not write */
  static *load(
    source: IndexSource,
    definitions: readonly ModelDefinition[],
    language: string,
  ): Generator<void, MemoryIndex> {
    const index = new MemoryIndex(definitions, language);
    index.#texts = yield* RecallIndex.loading((part) => source.read(`text-${part}`));
    for (const part of source.parts()) {
      if (!part.startsWith('states-')) continue;
      const rows = decoded(source.read(part)) as [string, unknown, [string, Stamp | null][]][];
      for (const [stream, state, stamps] of rows) index.#restore(stream, state, new Map(stamps));
      yield;
    }
    for (const stream of decoded(source.read('stopped')) as string[]) index.#stopped.add(stream);
    if (index.#texts.language !== language || index.#texts.size !== index.size) {
      throw new RangeError('what was saved does not fit together');
    }
    return index;
  }

  #restore(stream: string, state: unknown, stamps: ReadonlyMap<string, Stamp | null>): void {
    const model = this.#modelOf(stream);
    if (!model) throw new RangeError(`nothing is known of ${stream}`);
    const kept = deeplyFrozen(state);
    this.#states.set(stream, kept);
    for (const part of model.recall.parts(kept, stream)) {
      const stamp = stamps.get(part.name) ?? undefined;
      const { importance } = model.recall.facts(part, kept, stream);
      const { definition, recall } = model;
      const entry = { model: definition.name, recall, stream, part, stamp };
      this.#note(entry, weightOf(importance));
    }
  }

  #modelOf(stream: string) {
    return this.#models.get(stream.slice(0, stream.indexOf('/')));
  }

  /** Brings the texts of a stream to a new state. */
  #change(stream: string, before: unknown, after: unknown, event: RecordedEvent | undefined): void {
    const model = this.#modelOf(stream);
    if (!model) return;
    const { recall } = model;
    if (after === ABSENT) {
      this.#states.delete(stream);
      for (const part of this.#partsOf(stream)) this.#drop(stream, part);
      return;
    }
    this.#states.set(stream, after);
    const put = (part: RecallPart) => this.#put(model, stream, part, after, event);
    if (event && before === undefined) {
      // A stream's first event: there is nothing to compare with.
      for (const part of recall.parts(after, stream)) put(part);
      return;
    }
    const touched = event && recall.touched?.(event, before);
    if (touched && recall.part) {
      for (const name of touched) {
        const part = recall.part(after, name);
        if (part) put(part);
        else this.#drop(stream, name);
      }
      return;
    }
    const gone = new Set(this.#partsOf(stream));
    for (const part of recall.parts(after, stream)) {
      gone.delete(part.name);
      put(part);
    }
    for (const name of gone) this.#drop(stream, name);
  }

  #put(
    { definition, recall }: Model,
    stream: string,
    part: RecallPart,
    state: unknown,
    event: RecordedEvent | undefined,
  ): void {
    const id = idOf(stream, part.name);
    if (this.#entries.get(id)?.part.source === part.source) return;
    const stamp = event && stampOf(event);
    const { text, title, session, speaker } = recall.text(part, state, stream);
    const { tags, importance, time: told } = recall.facts(part, state, stream);
    const time = Date.parse(told === '' ? (stamp?.time ?? '') : told);
    const weight = weightOf(importance);
    this.#texts.put({
      id,
      text,
      title,
      tags,
      session,
      speaker,
      time: Number.isNaN(time) ? undefined : time,
      importance: weight,
    });
    this.#note({ model: definition.name, recall, stream, part, stamp }, weight);
  }

  #note(entry: Entry, importance = 0): void {
    const { stream, part } = entry;
    const id = idOf(stream, part.name);
    this.#entries.set(id, entry);
    if (part.name !== '') {
      const names = this.#named.get(stream);
      if (names) names.add(part.name);
      else this.#named.set(stream, new Set([part.name]));
    }
    if (importance >= IMPORTANT) this.#important.add(id);
    else this.#important.delete(id);
  }

  #drop(stream: string, part: string): void {
    const id = idOf(stream, part);
    if (!this.#entries.delete(id)) return;
    this.#texts.delete(id);
    this.#important.delete(id);
    const names = this.#named.get(stream);
    names?.delete(part);
    if (names?.size === 0) this.#named.delete(stream);
  }

  #partsOf(stream: string): readonly string[] {
    const names = this.#named.get(stream) ?? [];
    return this.#entries.has(idOf(stream, '')) ? ['', ...names] : [...names];
  }

  /** Neither over nor, unless that is asked for, out of use. */
  #isThere({ recall, stream, part }: Entry, now: string, retired: boolean): boolean {
    const { isOver, isRetired } = recall;
    if (!isOver && (retired || !isRetired)) return true;
    const state = this.#states.get(stream);
    if (isOver?.(part, state, now) === true) return false;
    return retired || isRetired?.(state) !== true;
  }

  #candidate({ model, recall, stream, part, stamp }: Entry): Candidate {
    const state = this.#states.get(stream);
    const told = recall.facts(part, state, stream);
    const facts: RecallFacts = {
      ...told,
      actor: stamp ? stamp.actor : told.actor,
      time: told.time === '' ? (stamp?.time ?? '') : told.time,
      position: stamp?.position ?? told.position,
    };
    return { model, stream, part, state, facts };
  }
}

function idOf(stream: string, part: string): string {
  return part === '' ? stream : `${stream}${SEPARATOR}${part}`;
}

/** Metadata is the caller's own: what stands there as an importance may be any number, and must not outweigh the words, nor take them away. */
function weightOf(importance: number | undefined): number | undefined {
  return importance === undefined ? undefined : Math.min(1, Math.max(0, importance));
}

function stampOf({ position, time, actor }: RecordedEvent): Stamp {
  return actor === undefined ? { position, time } : { position, time, actor };
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decoded(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function deeplyFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deeplyFrozen(part);
  return Object.freeze(value);
}

/** The index of a memory in its store. Another language is another index, which is built anew. */
export function memoryIndexOf(
  definitions: readonly ModelDefinition[],
  language: string,
): IndexDefinition<MemoryIndex> {
  const found = definitions.filter(({ recall }) => recall !== undefined);
  return defineIndex({
    name: `recall-${language}`,
    version: 1,
    types: found.flatMap(({ events }) => events.types),
    create: () => new MemoryIndex(definitions, language),
    apply: (index, group) => {
      for (const event of group) index.apply(event);
    },
    save: (index, sink) => index.save(sink),
    load: (source) => MemoryIndex.load(source, definitions, language),
    bytes: (index) => index.bytes,
  });
}
