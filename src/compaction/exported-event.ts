/** An event as it stands in an exported file: what the log holds of it, and nothing else (docs/FORMAT.md). */
import type { RecordedEvent } from '../log/types.js';

export interface ExportedEvent extends RecordedEvent {
  /** What the writer's clock said, where the commit keeps it because it stood before the time of the commit before. */
  readonly clock?: string;
}

/** How a file of events is written: one JSON object a line. */
export type ExportFormat =
  /** Events as the store gives them, under the names that it uses. */
  | 'ndjson'
  /** CloudEvents 1.0 in structured mode. */
  | 'cloudevents';

/** An event of a file as it is taken over: what it does not say is given out. */
export interface IncomingEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
  readonly schemaVersion?: unknown;
  readonly version?: unknown;
  readonly position?: unknown;
  readonly index?: unknown;
  readonly last?: unknown;
  readonly time?: unknown;
  readonly clock?: unknown;
  readonly actor?: unknown;
  readonly reason?: unknown;
  readonly correlationId?: unknown;
  readonly causationId?: unknown;
  readonly idempotencyKey?: unknown;
}

/** What a line cannot be taken over for: what is wrong with which of its members. */
export class UnusableEvent extends Error {
  /** Of the member, such as `$.data`. */
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

const MEMBERS = new Set([
  'id',
  'position',
  'index',
  'last',
  'time',
  'clock',
  'stream',
  'version',
  'type',
  'schemaVersion',
  'data',
  'metadata',
  'actor',
  'reason',
  'correlationId',
  'causationId',
  'idempotencyKey',
]);

/** An event in the store's own words. @throws UnusableEvent */
export function fromExported(value: Readonly<Record<string, unknown>>): IncomingEvent {
  for (const key of Object.keys(value)) {
    if (!MEMBERS.has(key)) throw new UnusableEvent(`$.${key}`, 'an event has no such member');
  }
  for (const key of ['stream', 'type'] as const) {
    if (typeof value[key] !== 'string') throw new UnusableEvent(`$.${key}`, 'it must be a string');
  }
  if (!Object.hasOwn(value, 'data')) throw new UnusableEvent('$.data', 'it is missing');
  const { id, position, index } = value;
  if (id !== undefined && id !== `${position}.${index}`) {
    throw new UnusableEvent(
      '$.id',
      'it must be the position and the index with a dot between them',
    );
  }
  return value as unknown as IncomingEvent;
}
