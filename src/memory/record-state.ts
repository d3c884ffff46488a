/** What is stored of a record, and how events make it. */
import { current } from 'immer';
import {
  applyPatch,
  defineEvents,
  defineProjection,
  event,
  type JsonPatch,
  type Projection,
  type RecordedEvent,
  removed,
} from '../store.js';
import { defined } from './defined.js';
import { after } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { type Reverted, reverted } from './revert.js';

/** What a caller says of a record. */
export interface RecordContent {
  readonly value: unknown;
  readonly section: string;
  readonly importance?: number;
  readonly tags?: readonly string[];
  readonly persona?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Of a result: the task that it is of. */
  readonly task?: string;
  /** ISO 8601. */
  readonly expiresAt?: string;
}

/** Stored anew or in place of what was there. At most one of `ttlMs` and `expiresAt`, as the caller gave it. */
export interface RecordStored extends RecordContent {
  readonly ttlMs?: number;
}

/** The state of a record. */
export interface RecordState extends RecordContent {
  /** Empty as long as nothing is stored. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Of the last event. */
  readonly position: number;
  /** Who wrote the last event. */
  readonly actor?: string;
}

const events = defineEvents({
  'record.stored': event<RecordStored>(),
  'record.updated': event<{ readonly patches: readonly JsonPatch[] }>(),
  'record.deleted': event<Readonly<Record<string, never>>>(),
  'record.reverted': event<Reverted>(),
});

const NOTHING: RecordState = {
  value: null,
  section: '',
  createdAt: '',
  updatedAt: '',
  position: 0,
};

/** Whether it is over at a time, ISO 8601. */
export function isOver(expiresAt: string | undefined, time: string): boolean {
  return expiresAt !== undefined && expiresAt <= time;
}

/** What every event changes. */
function touched({ time, position, actor }: RecordedEvent) {
  return defined({ updatedAt: time, position, actor });
}

/** By stream. */
export const records: Projection<RecordState> = defineProjection({
  name: 'records',
  version: 1,
  events,
  initial: NOTHING,
  on: {
    'record.stored': (draft, e) => {
      const { ttlMs, expiresAt, ...content } = e.data;
      const begins = draft.createdAt === '' || isOver(draft.expiresAt, e.time);
      return {
        ...content,
        ...defined({ expiresAt: ttlMs === undefined ? expiresAt : after(e.time, ttlMs) }),
        createdAt: begins ? e.time : draft.createdAt,
        ...touched(e),
      };
    },
    'record.updated': (draft, e) => {
      if (draft.createdAt === '') return removed;
      const { actor: _, ...rest } = current(draft) as RecordState;
      return { ...rest, value: applyPatch(rest.value, e.data.patches), ...touched(e) };
    },
    'record.deleted': () => removed,
    'record.reverted': (draft, e) => {
      const before = current(draft) as RecordState;
      const state = reverted(before.createdAt === '' ? undefined : before, e.data.patches);
      if (state === removed) return removed;
      const { actor: _, ...rest } = state;
      return { ...rest, ...touched(e) };
    },
  },
});

/** The model as the memory takes it in. */
export const recordsModel: ModelDefinition = {
  name: 'records',
  events,
  projection: records,
  opposites: {
    'record.stored': 'record.reverted',
    'record.updated': 'record.reverted',
    'record.deleted': 'record.reverted',
    'record.reverted': 'record.reverted',
  },
  bookkeeping: ['/updatedAt', '/position', '/actor'],
  expiries: (state) => [(state as { readonly expiresAt?: string }).expiresAt],
};
