/**
 * How the states of what can be found, and who changed each text last, are saved beside the index of texts.
 *
 * Parts: `states-n`, each a list of rows, and `stopped` (JSON). A state that is large, or is many texts, has several rows, so that between two `yield`s no more
 * is written or read than takes a millisecond or two.
 */
import type { IndexSink, IndexSource } from '../store.js';
import { isSmall, type Piece, piecesOf, Whole } from './pieces.js';

/** The event that changed a text last. */
export interface Stamp {
  readonly position: number;
  readonly time: string;
  readonly actor?: string;
}

/** Of a text: its name in its state, the event that changed it last, its place among all. */
export type SavedPart = readonly [name: string, stamp: Stamp | null, place: number];

export type SavedState = readonly [stream: string, state: unknown, parts: readonly SavedPart[]];

/** A state as a whole; or its beginning, its pieces, its texts, and its end. */
type Row =
  | readonly ['state', ...SavedState]
  | readonly ['begin', string]
  | readonly ['piece', ...Piece]
  | readonly ['parts', readonly SavedPart[]]
  | readonly ['end'];

/** A part has no more rows, or UTF-16 code units with the last one. */
const ROWS_MAX = 128;
const CHARACTERS_MAX = 32_768;
/** A state that is more texts, or more characters, has several rows. */
const ROW_PARTS_MAX = 256;
const ROW_CHARACTERS_MAX = 16_384;

/**
 * Behind each portion others may have their turn.
 * @param stopped - streams that could not be folded
 */
export function* saveStates(
  sink: IndexSink,
  states: Iterable<SavedState>,
  stopped: readonly string[],
): Generator<void, void> {
  let texts: string[] = [];
  let characters = 0;
  let part = 0;
  const write = () => {
    if (texts.length === 0) return;
    sink.write(`states-${part}`, new TextEncoder().encode(`[${texts.join(',')}]`));
    part += 1;
    texts = [];
    characters = 0;
  };
  for (const row of rowsOf(states)) {
    const text = JSON.stringify(row);
    texts.push(text);
    characters += text.length;
    if (texts.length < ROWS_MAX && characters < CHARACTERS_MAX) continue;
    write();
    yield;
  }
  write();
  sink.write('stopped', new TextEncoder().encode(JSON.stringify(stopped)));
}

function* rowsOf(states: Iterable<SavedState>): Iterable<Row> {
  for (const [stream, state, parts] of states) {
    if (parts.length <= ROW_PARTS_MAX && isSmall(state, ROW_CHARACTERS_MAX)) {
      yield ['state', stream, state, parts];
      continue;
    }
    yield ['begin', stream];
    for (const piece of piecesOf(state, ROW_CHARACTERS_MAX)) yield ['piece', ...piece];
    for (let at = 0; at < parts.length; at += ROW_PARTS_MAX) {
      yield ['parts', parts.slice(at, at + ROW_PARTS_MAX)];
    }
    yield ['end'];
  }
}

/** The states, deeply frozen, in portions; some are empty. @throws RangeError for what `saveStates` did not write */
export function* savedStates(source: IndexSource): Iterable<readonly SavedState[]> {
  let open: { readonly stream: string; readonly whole: Whole; parts: SavedPart[] } | undefined;
  for (const part of source.parts()) {
    if (!part.startsWith('states-')) continue;
    const states: SavedState[] = [];
    for (const row of decoded(source.read(part)) as Row[]) {
      if (row[0] === 'state') states.push([row[1], deeplyFrozen(row[2]), row[3]]);
      else if (row[0] === 'begin') open = { stream: row[1], whole: new Whole(), parts: [] };
      else if (!open) throw new RangeError('a state that was saved lacks its beginning');
      else if (row[0] === 'piece') open.whole.add(row[1], deeplyFrozen(row[2], true));
      else if (row[0] === 'parts') for (const each of row[1]) open.parts.push(each);
      else {
        states.push([open.stream, open.whole.end(), open.parts]);
        open = undefined;
      }
    }
    yield states;
  }
  if (open) throw new RangeError('a state that was saved lacks its end');
}

export function savedStopped(source: IndexSource): readonly string[] {
  return decoded(source.read('stopped')) as string[];
}

function decoded(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** @param isPiece - an empty one may be filled by others */
function deeplyFrozen<T>(value: T, isPiece = false): T {
  if (typeof value !== 'object' || value === null) return value;
  const parts = Object.values(value);
  if (isPiece && parts.length === 0) return value;
  for (const part of parts) deeplyFrozen(part);
  return Object.freeze(value);
}
