/** Records as callers see them. */
import { defined } from './defined.js';
import type { Facts } from './filters.js';
import { frozen } from './model.js';
import type { RecordState } from './record-state.js';

/** A record. Deeply frozen. */
export interface MemoryRecord<Value = unknown> {
  /** Its stream, `records/<key>`. */
  readonly id: string;
  readonly key: string;
  readonly value: Value;
  readonly section: string;
  /** From 0 to 1. */
  readonly importance?: number;
  readonly tags: readonly string[];
  /** The persona whose memory it is; absent when it is nobody's. */
  readonly persona?: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Of a result that `storeResult` kept: the task. */
  readonly task?: string;
  /** Who stored or changed it last. */
  readonly actor?: string;
  /** ISO 8601. When something was first stored under the key, since it was last deleted or expired. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt?: string;
}

const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_METADATA: Readonly<Record<string, unknown>> = Object.freeze({});
const PREFIX = 'records/';

export function recordOf<Value = unknown>(id: string, state: RecordState): MemoryRecord<Value> {
  const { importance, persona, task, actor, expiresAt, tags = NO_TAGS } = state;
  const { value, section, metadata = NO_METADATA, createdAt, updatedAt } = state;
  return frozen({
    id,
    key: id.slice(PREFIX.length),
    value: value as Value,
    section,
    tags,
    metadata,
    createdAt,
    updatedAt,
    ...defined({ importance, persona, task, actor, expiresAt }),
  });
}

/** What filters are asked about. */
export function factsOf(state: RecordState): Facts {
  const { section, importance, persona, actor, updatedAt: time } = state;
  const { tags = NO_TAGS, metadata = NO_METADATA } = state;
  const session = metadata['session'];
  return {
    tags,
    section,
    persona,
    actor,
    session: typeof session === 'string' ? session : undefined,
    importance,
    time,
    metadata,
  };
}
