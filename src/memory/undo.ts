/**
 * Undoing a commit of the memory: for each of its events the opposite one, with the patches that lead back, as one commit.
 *
 * Invariants:
 * - nothing is written unless every event of the commit can be undone;
 * - nothing is overwritten that a later event changed: conditions on the versions of the streams hold what was looked at;
 * - patches are tried on the state before they are written, because a handler that throws would stop the key.
 */
import {
  invalidArgument,
  quote,
  UndoConflictError,
  UndoRefusedError,
  VersionConflictError,
} from '../errors.js';
import {
  applyPatch,
  diff,
  type JsonPatch,
  type NewEvent,
  type RecordedEvent,
  type Store,
} from '../store.js';
import type { WriteOptions } from './access.js';
import type { ModelDefinition } from './model-definition.js';
import { isAtOrBelow, overlaps, touchedPaths } from './touched-paths.js';

/** What undoing is told besides the position. */
export interface UndoOptions extends Omit<WriteOptions, 'expectedVersion' | 'causationId'> {
  /** Look what would be undone, and write nothing. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** What became of undoing. */
export interface Undone {
  /** Of the commit that undid; the head when nothing was left to undo, and in a dry run. */
  readonly position: number;
  /** Of the commit that was undone. It is the causation id of the new one. */
  readonly undoes: number;
  /** What was written, or would be, such as `records/alice`. */
  readonly ids: readonly string[];
  /** False when the commit had changed nothing that could be put back. */
  readonly changed: boolean;
  /** An earlier call with the same idempotency key answered. */
  readonly repeated: boolean;
}

/** One event, and the states around it. */
interface Step {
  readonly event: RecordedEvent;
  readonly before: unknown;
  readonly after: unknown;
  readonly touched: readonly string[];
}

interface Conflict {
  readonly position: number;
  readonly stream: string;
  readonly path: string;
}

/** Others may write between looking and appending; then it is looked at anew. */
const ATTEMPTS_MAX = 1000;

/** The commit is undone already. */
class AlreadyUndone extends Error {
  readonly by: RecordedEvent;
  readonly undone: string;

  constructor(by: RecordedEvent, undone: string) {
    super('undone already');
    this.by = by;
    this.undone = undone;
  }
}

export class Undoing {
  readonly #store: Store;
  readonly #position: number;
  readonly #modelOf = new Map<string, ModelDefinition>();

  /** @throws TypeError, PositionAheadError */
  constructor(store: Store, definitions: readonly ModelDefinition[], position: number) {
    if (!Number.isSafeInteger(position) || position < 1) {
      throw invalidArgument('undo takes the position of a commit, an integer from 1');
    }
    // Looks for commits of other processes before it refuses a position.
    store.at(position);
    this.#store = store;
    this.#position = position;
    for (const definition of definitions) {
      for (const type of definition.events.types) this.#modelOf.set(type, definition);
    }
  }

  /** @throws UndoConflictError, UndoRefusedError, and what appending throws */
  async run(options: WriteOptions, dryRun = false): Promise<Undone> {
    const position = this.#position;
    const events = await this.#store.readAll({ from: position, to: position }).toArray();
    const streams = new Map<string, ModelDefinition>();
    for (const event of events) streams.set(event.stream, this.#undoableBy(event));
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(streams, options, dryRun);
      } catch (error) {
        if (error instanceof AlreadyUndone) return await this.#repeated(error, options);
        if (!(error instanceof VersionConflictError) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #attempt(
    streams: ReadonlyMap<string, ModelDefinition>,
    options: WriteOptions,
    dryRun: boolean,
  ): Promise<Undone> {
    const parts: { stream: string; events: NewEvent[]; expectedVersion: number }[] = [];
    const conflicts: Conflict[] = [];
    for (const [stream, model] of streams) {
      // The version first: what is newer than it is found out when the commit is decided.
      const expectedVersion = await this.#store.version(stream);
      const { own, later, state } = await this.#steps(stream, model);
      conflicts.push(...conflictsOf(stream, own, withoutUndone(own, later)));
      if (conflicts.length > 0) continue;
      const opposites = oppositesOf(stream, model, own, state);
      if (opposites.every(({ data }) => data.patches.length === 0)) continue;
      parts.push({ stream, events: opposites, expectedVersion });
    }
    if (conflicts.length > 0) throw this.#conflict(conflicts);
    const ids = Object.freeze(parts.map(({ stream }) => stream));
    const undoes = this.#position;
    if (parts.length === 0 || dryRun) {
      const { position } = this.#store.head;
      return Object.freeze({ position, undoes, ids, changed: parts.length > 0, repeated: false });
    }
    const committed = await this.#store.commit(parts, { ...options, causationId: String(undoes) });
    const { position, repeated } = committed;
    return Object.freeze({ position, undoes, ids, changed: true, repeated });
  }

  /** The model of an event that has an opposite. @throws UndoRefusedError */
  #undoableBy({ id, type, stream }: RecordedEvent): ModelDefinition {
    const model = this.#modelOf.get(type);
    if (!model) {
      const problem = `event ${id} (${quote(type)} of ${quote(stream)}) belongs to no model of the memory, so that nobody knows its opposite. Append what puts it right.`;
      throw new UndoRefusedError(this.#position, id, problem);
    }
    if (model.opposites[type] !== undefined) return model;
    const problem = `event ${id} (${quote(type)} of ${quote(stream)}) has no opposite. Write what you want instead with memory.${model.name}.`;
    throw new UndoRefusedError(this.#position, id, problem);
  }

  /** The key's events of the commit, those behind it, and the state that all of them led to. */
  async #steps(
    stream: string,
    model: ModelDefinition,
  ): Promise<{ own: Step[]; later: Step[]; state: unknown }> {
    const { projection } = model;
    const position = this.#position;
    const own: Step[] = [];
    const later: Step[] = [];
    let state: unknown = await this.#store.at(position - 1).get(projection, stream);
    for await (const { event, patches } of this.#store.history(projection, stream, {
      from: position,
    })) {
      const before = state;
      state = applyPatch(before, patches);
      const touched = touchedBy(model, { event, before, after: state, patches });
      const step: Step = { event, before, after: state, touched };
      (event.position === position ? own : later).push(step);
    }
    return { own, later, state };
  }

  #conflict(conflicts: readonly Conflict[]): UndoConflictError {
    const positions = [...new Set(conflicts.map(({ position }) => position))];
    const paths = new Map<string, { readonly stream: string; readonly path: string }>();
    for (const { stream, path } of conflicts) {
      paths.set(JSON.stringify([stream, path]), Object.freeze({ stream, path }));
    }
    return new UndoConflictError(
      this.#position,
      positions.sort((a, b) => a - b),
      [...paths.values()],
    );
  }

  async #repeated(
    { by, undone }: AlreadyUndone,
    { idempotencyKey }: WriteOptions,
  ): Promise<Undone> {
    const undoes = this.#position;
    const { position } = by;
    if (idempotencyKey !== undefined && by.idempotencyKey === idempotencyKey) {
      const events = await this.#store.readAll({ from: position, to: position }).toArray();
      const ids = Object.freeze([...new Set(events.map(({ stream }) => stream))]);
      return Object.freeze({ position, undoes, ids, changed: true, repeated: true });
    }
    const problem = `position ${position} undid it already. To have it again, undo position ${position}.`;
    throw new UndoRefusedError(undoes, undone, problem);
  }
}

/** Which event an undoing event undoes. */
function undoneBy({ data }: RecordedEvent): string | undefined {
  const undoes: unknown = (data as { undoes?: unknown } | null | undefined)?.undoes;
  return typeof undoes === 'string' ? undoes : undefined;
}

/**
 * Later steps that still count: an event and the one that undid it took nothing away between them.
 * @throws AlreadyUndone
 */
function withoutUndone(own: readonly Step[], later: readonly Step[]): Step[] {
  const ids = new Set(own.map(({ event }) => event.id));
  const laterIds = new Set(later.map(({ event }) => event.id));
  const undone = new Set<string>();
  const counting: Step[] = [];
  // Newest first: an undoing event that was itself undone undid nothing.
  for (const step of later.toReversed()) {
    if (undone.has(step.event.id)) continue;
    const undoes = undoneBy(step.event);
    if (undoes !== undefined && ids.has(undoes)) throw new AlreadyUndone(step.event, undoes);
    if (undoes !== undefined && laterIds.has(undoes)) undone.add(undoes);
    else counting.push(step);
  }
  return counting.reverse();
}

function conflictsOf(stream: string, own: readonly Step[], later: readonly Step[]): Conflict[] {
  const paths = own.flatMap(({ touched }) => touched);
  return later.flatMap(({ event: { position }, touched }) =>
    touched
      .filter((path) => paths.some((ownPath) => overlaps(path, ownPath)))
      .map((path) => ({ position, stream, path })),
  );
}

/** The places that an event changed, besides what every event does. */
function touchedBy(
  { projection, bookkeeping, additive, opposites }: ModelDefinition,
  {
    event: { stream, type },
    before,
    after,
    patches,
  }: {
    readonly event: RecordedEvent;
    readonly before: unknown;
    readonly after: unknown;
    readonly patches: readonly JsonPatch[];
  },
): string[] {
  // What deletes a key has changed all of it; what undoes has changed what it put back.
  const deletes = after === undefined && type !== opposites[type];
  if (!additive || deletes) return touchedPaths(before, after, patches, bookkeeping);
  const initial = projection.initialOf(stream);
  const [from, to] = [before ?? initial, after ?? initial];
  return touchedPaths(from, to, diff(from, to), bookkeeping);
}

interface Opposite extends NewEvent {
  readonly data: { readonly undoes: string; readonly patches: readonly JsonPatch[] };
}

/**
 * For each event the one that undoes it; the last event is undone first.
 * @param state - what they are appended to; undefined when nothing is stored under the key
 * @throws PatchFailedError when their patches cannot be applied to it
 */
function oppositesOf(
  stream: string,
  { projection, opposites, bookkeeping, additive }: ModelDefinition,
  own: readonly Step[],
  state: unknown,
): Opposite[] {
  const initial = additive ? projection.initialOf(stream) : undefined;
  const isFact = ({ path }: JsonPatch) =>
    !bookkeeping.some((pointer) => isAtOrBelow(path, pointer));
  // Where nothing is stored, there is no bookkeeping that could stay as it is.
  const returns = (patch: JsonPatch) => isFact(patch) || (additive && state === undefined);
  const undoing = own.toReversed().map(({ event: { id, type }, before, after }) => {
    const patches = diff(after ?? initial, before ?? initial).filter(returns);
    return { type: opposites[type] as string, data: { undoes: id, patches } };
  });
  const back = applyPatch(
    state ?? initial,
    undoing.flatMap(({ data }) => data.patches),
  );
  if (!additive || back === undefined) return undoing;
  const left = diff(initial, back);
  const began = own[0]?.before === undefined;
  const last = undoing.at(-1);
  // A key that the commit began, and of which nothing else is known, is no longer there.
  if (last && state !== undefined && (left.length === 0 || (began && !left.some(isFact)))) {
    last.data.patches.push({ op: 'remove', path: '' });
  }
  return undoing;
}
