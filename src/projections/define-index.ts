/** Indexes as a program declares them: state that is not one small value per key, such as an inverted index or vectors. */

import { invalidArgument, quote } from '../errors.js';
import type { RecordedEvent } from '../log/types.js';
import { fingerprintOf } from './define.js';
import { checkEvents, type Events, type RecordedEventOf, type TypesOf } from './events.js';
import { Definitions } from './made.js';
import {
  atOnce,
  checkDeclared,
  checkDefinitionName,
  checkFunction,
  checkMembers,
  checkTypes,
  checkVersion,
  shown,
} from './shape.js';

/** Takes what an index saves. Valid only during the call of `save`. */
export interface IndexSink {
  /** Keeps a copy of the bytes under that name. A name is written once. @throws TypeError */
  write(part: string, bytes: Uint8Array): void;
}

/** Gives back what was saved. Valid only during the call of `load`. */
export interface IndexSource {
  /** Names of the parts, in the order in which they were written. */
  parts(): readonly string[];
  /** The bytes of a part, the caller's own. @throws TypeError when there is none of that name */
  read(part: string): Uint8Array;
}

/** What {@link defineIndex} takes. */
export interface IndexSpec<Index, E extends Events = Events, Type extends TypesOf<E> = TypesOf<E>> {
  /** 1 to 200 bytes, no control characters, not beginning with '$'. One index of a store has it. */
  readonly name: string;
  /** An integer from 1. Raise it when the code changes what is kept: the index is then built again from the log. */
  readonly version: number;
  /** The event types that may be named. Without it any name goes and `data` is unknown. */
  readonly events?: E | undefined;
  /** The event types that it wants. Default: those of `events`, and all when there are none. */
  readonly types?: readonly Type[] | undefined;
  /** An empty index. */
  readonly create: () => Index;
  /**
   * Takes in the events of a group, in order; called once for each event. It changes the index in place, and does not wait. Where a group ends says nothing:
   * where others may have their turn in between, groups are small.
   */
  readonly apply: (
    index: NoInfer<Index>,
    group: readonly NoInfer<RecordedEventOf<E, Type>>[],
  ) => void;
  /**
   * Writes the index into as many parts as it likes. It may be a generator function: between two `yield`s others have their turn, and the index stays
   * as it is. Somebody who reads it then may end that, and another index of the same events is saved. A part is copied at once: large ones keep others waiting.
   */
  readonly save: (index: NoInfer<Index>, sink: IndexSink) => void | Generator<unknown, void>;
  /** The index that `save` wrote; it may be a generator function, too. What it throws makes the store build the index again from the log. */
  readonly load: (source: IndexSource) => NoInfer<Index> | Generator<unknown, NoInfer<Index>>;
  /** About how much memory it takes, bytes. */
  readonly bytes: (index: NoInfer<Index>) => number;
}

/** An index, checked and frozen. Hand it to `openStore`, and to `store.index`. */
export interface IndexDefinition<Index = unknown> {
  readonly name: string;
  readonly version: number;
  readonly events?: Events;
  /** The event types that it wants, sorted; undefined for all. */
  readonly types: readonly string[] | undefined;
  /** SHA-256 (hex) of name, version, types and the store's format; never of code. */
  readonly fingerprint: string;
  /** @throws what the caller's code throws; TypeError for undefined or a promise */
  create(): Index;
  /** @throws what the caller's code throws; TypeError for a promise */
  apply(index: Index, group: readonly RecordedEvent[]): void;
  /** @throws what the caller's code throws; TypeError for a promise */
  save(index: Index, sink: IndexSink): void;
  /** @throws what the caller's code throws; TypeError for undefined or a promise */
  load(source: IndexSource): Index;
  /** {@link IndexDefinition.save} in portions, with a turn for others behind each. */
  saving(index: Index, sink: IndexSink): Generator<unknown, void>;
  /** {@link IndexDefinition.load} in portions. */
  loading(source: IndexSource): Generator<unknown, Index>;
  /** @throws what the caller's code throws; TypeError for anything but a number from 0 */
  bytes(index: Index): number;
}

/** What an index definition keeps. */
export type IndexOf<D> = D extends { create(): infer Index } ? Index : never;

const FUNCTIONS = ['create', 'apply', 'save', 'load', 'bytes'] as const;
const MEMBERS = ['name', 'version', 'events', 'types', ...FUNCTIONS] as const;

const made = new Definitions<IndexDefinition>();

/** Whether `defineIndex` made it. */
export function isIndexDefinition(value: unknown): value is IndexDefinition {
  return made.has(value);
}

function wantedTypes(
  types: unknown,
  events: Events | undefined,
  what: string,
): readonly string[] | undefined {
  if (types === undefined) return events?.types;
  const list = checkTypes(types, `types of ${what}`);
  if (events !== undefined) {
    for (const type of list) checkDeclared(type, events.types, `types of ${what}`);
  }
  return list;
}

function isGenerator<Result>(value: unknown): value is Generator<unknown, Result> {
  return Object.prototype.toString.call(value) === '[object Generator]';
}

/** What comes of it, at once. */
function ended<Result>(portions: Generator<unknown, Result>): Result {
  for (;;) {
    const { done, value } = portions.next();
    if (done) return value;
  }
}

function checkIndex<Index>(index: Index, what: string): Index {
  if (index !== undefined) return atOnce(index, what);
  throw invalidArgument(`${what} gave undefined; return the index`);
}

function checkBytes(bytes: unknown, what: string): number {
  if (typeof bytes === 'number' && bytes >= 0 && bytes < Number.POSITIVE_INFINITY) return bytes;
  throw invalidArgument(`${what} must give a number of bytes from 0, not ${shown(bytes)}`);
}

/** `defineIndex` that also takes the store's own names, which begin with '$'. @internal */
export function indexOf<Index, E extends Events, const Type extends TypesOf<E>>(
  spec: IndexSpec<Index, E, Type>,
  internal: boolean,
): IndexDefinition<Index> {
  checkMembers(spec, 'an index', MEMBERS);
  // A copy: what is changed in the caller's object later has no effect. Its functions may call each other through `this`.
  const own: IndexSpec<Index, E, Type> = Object.freeze({ ...spec });
  const { name, version } = own;
  const events: unknown = own.events;
  checkDefinitionName(name, 'the name of an index', internal);
  const what = `the index ${quote(name)}`;
  checkVersion(version, `version of ${what}`);
  checkEvents(events, `events of ${what}`);
  for (const member of FUNCTIONS) {
    checkFunction(own[member], `${member} of ${what}`, member === 'save' || member === 'load');
  }
  const types = wantedTypes(own.types, events, what);

  const definition: IndexDefinition<Index> = Object.freeze({
    name,
    version,
    ...(events === undefined ? {} : { events }),
    types,
    fingerprint: fingerprintOf(name, version, types ?? 'all'),
    create: () => checkIndex(own.create(), `create of ${what}`),
    apply(index: Index, group: readonly RecordedEvent[]) {
      atOnce(own.apply(index, group as readonly RecordedEventOf<E, Type>[]), `apply of ${what}`);
    },
    save: (index: Index, sink: IndexSink) => ended(definition.saving(index, sink)),
    load: (source: IndexSource) => ended(definition.loading(source)),
    *saving(index: Index, sink: IndexSink) {
      const saved: unknown = own.save(index, sink);
      atOnce(isGenerator(saved) ? yield* saved : saved, `save of ${what}`);
    },
    *loading(source: IndexSource) {
      const loaded = own.load(source);
      return checkIndex(isGenerator<Index>(loaded) ? yield* loaded : loaded, `load of ${what}`);
    },
    bytes: (index: Index) => checkBytes(own.bytes(index), `bytes of ${what}`),
  });
  made.add(definition as IndexDefinition);
  return definition;
}

/**
 * Declares an index. It is brought up with the log like a projection, and saved and loaded as a whole or in parts.
 * @throws TypeError for a member that is wrong, missing or unknown; LimitExceededError for a name beyond 200 bytes
 */
export function defineIndex<
  Index,
  E extends Events = Events,
  const Type extends TypesOf<E> = TypesOf<E>,
>(spec: IndexSpec<Index, E, Type>): IndexDefinition<Index> {
  return indexOf(spec, false);
}
