/** What can go wrong when states are read that are folded from the log. */
import { quote, RecollectError, reasonOf } from './base.js';
import { nearest } from './nearest.js';

/** The projection was not handed to the store when it was opened. */
export class ProjectionNotRegisteredError extends RecollectError {
  readonly projection: string;
  /** Names of those that were. */
  readonly registered: readonly string[];

  constructor(projection: string, registered: readonly string[]) {
    super('PROJECTION_NOT_REGISTERED', notRegistered(projection, registered));
    this.projection = projection;
    this.registered = registered;
  }
}

function notRegistered(projection: string, registered: readonly string[]): string {
  if (registered.includes(projection)) {
    return `What was passed is not the ${quote(projection)} that is registered in this store, but something else of that name. Define it once, and pass that to openStore and to every read: a projection to get and entries, an index to index.`;
  }
  const near = nearest(projection, registered);
  const shown = near.length > 0 ? near : registered.slice(0, 5);
  const known =
    shown.length === 0
      ? 'None is'
      : `${near.length > 0 ? 'Near to it' : 'Among those that are'}: ${shown.map(quote).join(', ')}`;
  return `The projection ${quote(projection)} is not registered in this store. ${known}. Add it to the option projections (an index to indexes) of openStore.`;
}

/** A synchronous read of a projection that is still being built from the history of the store. */
export class ProjectionNotReadyError extends RecollectError {
  readonly projection: string;
  /** The part of the history that was read, 0 to 1. */
  readonly progress: number;

  constructor(projection: string, progress: number) {
    super(
      'PROJECTION_NOT_READY',
      `The projection ${quote(projection)} is still being built (${Math.floor(progress * 100)} %). Use the asynchronous call, which waits for it, or try again later.`,
    );
    this.projection = projection;
    this.progress = progress;
  }
}

/** An index could not begin: its `create` threw, or gave nothing. */
export class IndexFailedError extends RecollectError {
  readonly index: string;

  constructor(index: string, cause: unknown) {
    super(
      'INDEX_FAILED',
      `The index ${quote(index)} could not be created: ${reasonOf(cause)}. Mend \`create\` of its definition, or leave it out of the option indexes of openStore. Nothing in the store was changed.`,
      { cause },
    );
    this.index = index;
  }
}

/** What the caller's code of a projection threw stopped one key, or all keys when it cannot be said which one is concerned. */
export class ProjectionFailedError extends RecollectError {
  readonly projection: string;
  /** The key that is stopped; `undefined` when the whole projection is. */
  readonly key: string | undefined;
  readonly position: number;
  /** Id of the event at which it stopped. */
  readonly event: string;

  constructor(facts: {
    projection: string;
    key?: string | undefined;
    position: number;
    event: string;
    cause: unknown;
  }) {
    const { projection, key, position, event, cause } = facts;
    const what = key === undefined ? 'is stopped' : `is stopped for the key ${quote(key)}`;
    super(
      'PROJECTION_FAILED',
      `The projection ${quote(projection)} ${what} at event ${event}: ${reasonOf(cause)}. Mend its code and raise its version; everything else goes on.`,
      { cause },
    );
    this.projection = projection;
    this.key = key;
    this.position = position;
    this.event = event;
  }
}

/** An event in the log has a newer shape than this program knows. */
export class UnknownSchemaVersionError extends RecollectError {
  readonly type: string;
  /** Of the event. */
  readonly schemaVersion: number;
  /** The newest that this program knows for the type. */
  readonly known: number;
  readonly position: number;

  constructor(facts: { type: string; schemaVersion: number; known: number; position: number }) {
    const { type, schemaVersion, known, position } = facts;
    super(
      'UNKNOWN_SCHEMA_VERSION',
      `The event ${quote(type)} at position ${position} has schema version ${schemaVersion}, this program knows versions up to ${known}. Update the program (its upcasters), or read with raw: true.`,
    );
    this.type = type;
    this.schemaVersion = schemaVersion;
    this.known = known;
    this.position = position;
  }
}

/** An upcaster threw, or gave something that cannot be data. */
export class UpcastFailedError extends RecollectError {
  readonly type: string;
  /** The version that the upcaster begins with. */
  readonly schemaVersion: number;
  /** Id of the event. */
  readonly event: string;

  constructor(facts: { type: string; schemaVersion: number; event: string; cause: unknown }) {
    const { type, schemaVersion, event, cause } = facts;
    super(
      'UPCAST_FAILED',
      `The upcaster of ${quote(type)} from version ${schemaVersion} to ${schemaVersion + 1} failed at event ${event}: ${reasonOf(cause)}. Mend the upcaster; nothing stored is changed, and raw: true shows it.`,
      { cause },
    );
    this.type = type;
    this.schemaVersion = schemaVersion;
    this.event = event;
  }
}

/** Retention removed events that the question needs. */
export class HistoryPrunedError extends RecollectError {
  /** The first position that the store still has all events from. */
  readonly firstPosition: number;

  constructor(
    firstPosition: number,
    hint = 'Ask for a moment from that position on, or look in a backup.',
  ) {
    super(
      'HISTORY_PRUNED',
      `The answer needs events before position ${firstPosition}, which the retention policy removed. ${hint}`,
    );
    this.firstPosition = firstPosition;
  }
}
