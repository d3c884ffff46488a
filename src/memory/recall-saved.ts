/** How the states of what can be found, and who changed each text last, are saved beside the index of texts. */
import type { IndexSink, IndexSource } from '../store.js';

/** The event that changed a text last. */
export interface Stamp {
  readonly position: number;
  readonly time: string;
  readonly actor?: string;
}

/** Of a text: its name in its state, the event that changed it last, its place among all. */
export type SavedPart = readonly [name: string, stamp: Stamp | null, place: number];

export type SavedState = readonly [stream: string, state: unknown, parts: readonly SavedPart[]];

const STATES_IN_PART = 256;

/**
 * Behind each portion others may have their turn.
 * @param stopped - streams that could not be folded
 */
export function* saveStates(
  sink: IndexSink,
  states: Iterable<SavedState>,
  stopped: readonly string[],
): Generator<void, void> {
  let rows: SavedState[] = [];
  let part = 0;
  const write = () => {
    if (rows.length === 0) return;
    sink.write(`states-${part}`, encoded(rows));
    part += 1;
    rows = [];
  };
  for (const state of states) {
    rows.push(state);
    if (rows.length < STATES_IN_PART) continue;
    write();
    yield;
  }
  write();
  sink.write('stopped', encoded(stopped));
}

/** The states, deeply frozen, in portions. */
export function* savedStates(source: IndexSource): Iterable<SavedState[]> {
  for (const part of source.parts()) {
    if (!part.startsWith('states-')) continue;
    const rows = decoded(source.read(part)) as SavedState[];
    for (const [, state] of rows) deeplyFrozen(state);
    yield rows;
  }
}

export function savedStopped(source: IndexSource): readonly string[] {
  return decoded(source.read('stopped')) as string[];
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
