/**
 * What a memory can find: the states of all models as texts, in an index that the store keeps up with the log. Only the models' own folds say what is there,
 * so what was deleted, undone or replaced is never found, whatever kind of event did it.
 *
 * Invariants:
 * - each state is what the model's projection folds of its stream, and each text that of its state;
 * - a text whose source did not change is not read again;
 * - a stream that cannot be folded has no texts, and nothing else suffers.
 */
import type { Ranked, Where } from '../recall/document.js';
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
import { marksOf, modelMark } from './filter-marks.js';
import type { ModelDefinition } from './model-definition.js';
import type { RecallFacts, RecallModel, RecallPart } from './recall-model.js';
import {
  type SavedPart,
  type SavedState,
  type Stamp,
  savedStates,
  savedStopped,
  saveStates,
} from './recall-saved.js';

interface Model {
  readonly definition: ModelDefinition;
  readonly recall: RecallModel;
}

interface Entry {
  readonly model: string;
  /** What the model declares: looked at for every candidate. */
  readonly recall: RecallModel;
  readonly stream: string;
  readonly part: RecallPart;
  readonly stamp: Stamp | undefined;
  /** Before another that was first stored later. */
  readonly place: number;
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
  /** Looked at first, without the facts of each text. */
  readonly where?: Where | undefined;
  /** Asked of the best of what `where` lets pass, of most of it when little is accepted. */
  readonly accepts?: ((candidate: Candidate) => boolean) | undefined;
  /** Says again, of what would be given, what `where` says of it by hashes. */
  readonly confirms?: ((candidate: Candidate) => boolean) | undefined;
  /** Also what is out of use. Default false. */
  readonly retired?: boolean | undefined;
}

/** Behind this the name of a part stands; no stream has it in its name. */
const SEPARATOR = '\u0000';
/** Texts of one stream. */
const RESTORED_AT_ONCE = 256;
/** What is as important as this can be had without being asked for. */
export const IMPORTANT = 0.8;

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
  #places = 0;
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
  find(query: string, options: FindOptions): Found[] {
    const { limit, now, models, where, accepts, confirms, retired = false } = options;
    const wanted = models && new Set(models);
    const entryOf = (id: string) => this.#entries.get(id) as Entry;
    const byWords = this.#texts.search(query, {
      limit,
      now: Date.parse(now),
      where: this.#where(wanted, where),
      livingAt: Date.parse(now),
      accepts: (id) => {
        const entry = entryOf(id);
        if (!this.#isThere(entry, now, retired)) return false;
        return accepts === undefined || accepts(this.#candidate(entry));
      },
      confirms: (id) => {
        const entry = entryOf(id);
        if (wanted?.has(entry.model) === false) return false;
        return confirms === undefined || confirms(this.#candidate(entry));
      },
    });
    // One source now; what finds by meaning would be a second ranking here.
    return fuse([byWords], ({ id }) => id).map(({ item: { id, score, reasons } }) => ({
      ...this.#candidate(entryOf(id)),
      score,
      reasons,
    }));
  }

  #where(wanted: ReadonlySet<string> | undefined, where: Where | undefined): Where | undefined {
    if (!wanted || [...this.#models.keys()].every((name) => wanted.has(name))) return where;
    return { ...where, anyOf: [...(where?.anyOf ?? []), [...wanted].map(modelMark)] };
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

  /** Whether a text has a word in common with this one that tells something. */
  sharing(text: string): (other: string) => boolean {
    const terms = this.#texts.termsOf(text);
    return (other) => [...this.#texts.termsOf(other)].some((term) => terms.has(term));
  }

  /** In portions; the index stays as it is meanwhile. */
  *save(sink: IndexSink): Generator<void, void> {
    yield* this.#texts.saving((part, bytes) => sink.write(`text-${part}`, bytes));
    yield* saveStates(sink, this.#saved(), [...this.#stopped]);
  }

  *#saved(): Iterable<SavedState> {
    for (const [stream, state] of this.#states) {
      const parts = this.#partsOf(stream).map((name): SavedPart => {
        const { stamp = null, place } = this.#entries.get(idOf(stream, name)) as Entry;
        return [name, stamp, place];
      });
      yield [stream, state, parts];
    }
  }

  /** @throws for what `save` did not write */
  static *load(
    source: IndexSource,
    definitions: readonly ModelDefinition[],
    language: string,
  ): Generator<void, MemoryIndex> {
    const index = new MemoryIndex(definitions, language);
    index.#texts = yield* RecallIndex.loading((part) => source.read(`text-${part}`));
    for (const states of savedStates(source)) {
      for (const saved of states) yield* index.#restoring(saved);
      yield;
    }
    for (const stream of savedStopped(source)) index.#stopped.add(stream);
    if (index.#texts.language !== language || index.#texts.size !== index.size) {
      throw new RangeError('what was saved does not fit together');
    }
    return index;
  }

  /** In portions. */
  *#restoring([stream, state, saved]: SavedState): Generator<void, void> {
    const model = this.#modelOf(stream);
    if (!model) throw new RangeError(`nothing is known of ${stream}`);
    this.#states.set(stream, state);
    const byName = new Map(saved.map((each) => [each[0], each]));
    let restored = 0;
    for (const part of model.recall.parts(state, stream)) {
      restored += 1;
      if (restored % RESTORED_AT_ONCE === 0) yield;
      const [, stamp, place] = byName.get(part.name) ?? [part.name, null, this.#places];
      this.#places = Math.max(this.#places, place + 1);
      const { importance } = model.recall.facts(part, state, stream);
      const { definition, recall } = model;
      const entry = { model: definition.name, recall, stream, part, stamp: stamp ?? undefined };
      this.#note({ ...entry, place }, weightOf(importance));
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
    if (recall.sharedEnd) this.#texts.endLife(stream, timeOf(recall.sharedEnd(after)));
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
    const known = this.#entries.get(id);
    if (known?.part.source === part.source) return;
    const place = known?.place ?? this.#places++;
    const model = definition.name;
    const stamp = event && stampOf(event);
    const entry: Entry = { model, recall, stream, part, stamp, place };
    const facts = recall.facts(part, state, stream);
    const { text, title, session, speaker, keepsPlace } = recall.text(part, state, stream);
    const time = Date.parse(facts.time === '' ? (stamp?.time ?? '') : facts.time);
    const importance = weightOf(facts.importance);
    const end = recall.endOf?.(part);
    this.#texts.put({
      id,
      text,
      title,
      tags: facts.tags,
      session,
      speaker,
      order: keepsPlace ? place : undefined,
      sequence: place,
      time: Number.isNaN(time) ? undefined : time,
      importance,
      marks: marksOf(model, facts, stamp ? stamp.actor : facts.actor),
      life: end === undefined ? recall.sharedEnd && stream : id,
    });
    if (end !== undefined) this.#texts.endLife(id, timeOf(end));
    this.#note(entry, importance);
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

/** ISO 8601 as ms. */
function timeOf(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

function stampOf({ position, time, actor }: RecordedEvent): Stamp {
  return actor === undefined ? { position, time } : { position, time, actor };
}

/** The index of a memory in its store. Another language is another index, which is built anew. */
export function memoryIndexOf(
  definitions: readonly ModelDefinition[],
  language: string,
): IndexDefinition<MemoryIndex> {
  const found = definitions.filter(({ recall }) => recall !== undefined);
  return defineIndex({
    name: `recall-${language}`,
    version: 3,
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
