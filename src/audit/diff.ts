/**
 * What turned one state into another, as RFC 6902 patches: `add`, `remove` and `replace` only, and none where nothing changed. Found by
 * comparing the states rather than by watching the handlers, so it does not matter how a handler came to its result, and two states that were
 * never folded from one another can be compared. Parts that the states share are not looked into.
 *
 * Elements of an array are told apart by what they are, not by where they stand: when one is removed, those behind it are not mentioned.
 */
import { ABSENT } from '../projections/fold.js';
import { type JsonPatch, pointerTo } from './json-patch.js';
import {
  hasMember,
  isObjectView,
  type JsonObject,
  jsonOf,
  sameJson,
  textOf,
  viewOf,
} from './json-view.js';

/**
 * The patches that make `after` of `before`, both as they read as JSON (json-view.ts). A state that appears is an `add` of the whole at the
 * empty path, one that disappears a `remove` there; ABSENT and undefined are none. Deeply frozen.
 */
export function diff(before: unknown, after: unknown): readonly JsonPatch[] {
  const patches: JsonPatch[] = [];
  if (before === after) return Object.freeze(patches);
  if (isNone(before) && isNone(after)) return Object.freeze(patches);
  if (isNone(before)) patches.push(patch({ op: 'add', path: '', value: jsonOf(after) }));
  else if (isNone(after)) patches.push(patch({ op: 'remove', path: '' }));
  else compare(before, after, '', patches);
  return Object.freeze(patches);
}

function isNone(state: unknown): boolean {
  return state === ABSENT || state === undefined;
}

function patch(content: JsonPatch): JsonPatch {
  return Object.freeze(content);
}

function compare(before: unknown, after: unknown, path: string, patches: JsonPatch[]): void {
  if (before === after) return;
  const from = viewOf(before);
  const to = viewOf(after);
  if (Array.isArray(from) && Array.isArray(to)) compareLists(from, to, path, patches);
  else if (isObjectView(from) && isObjectView(to)) compareMembers(from, to, path, patches);
  else if (from !== to) patches.push(patch({ op: 'replace', path, value: jsonOf(after) }));
}

function compareMembers(
  from: JsonObject,
  to: JsonObject,
  path: string,
  patches: JsonPatch[],
): void {
  // Most members of a large object are shared: for those this is a plain loop that makes nothing.
  const names = Object.keys(from);
  for (let index = 0; index < names.length; index += 1) {
    const key = names[index] as string;
    const before = from[key];
    if (before === undefined || (before === to[key] && Object.hasOwn(to, key))) continue;
    if (!hasMember(to, key)) patches.push(patch({ op: 'remove', path: pointerTo(path, key) }));
  }
  const later = Object.keys(to);
  for (let index = 0; index < later.length; index += 1) {
    const key = later[index] as string;
    const after = to[key];
    if (after === undefined || (after === from[key] && Object.hasOwn(from, key))) continue;
    const at = pointerTo(path, key);
    if (hasMember(from, key)) compare(from[key], after, at, patches);
    else patches.push(patch({ op: 'add', path: at, value: jsonOf(after) }));
  }
}

function compareLists(
  from: readonly unknown[],
  to: readonly unknown[],
  path: string,
  patches: JsonPatch[],
): void {
  let start = 0;
  const shorter = Math.min(from.length, to.length);
  while (start < shorter && sameJson(from[start], to[start])) start += 1;
  let end = 0;
  while (end < shorter - start && sameJson(from[from.length - 1 - end], to[to.length - 1 - end])) {
    end += 1;
  }
  const kept = align(from, to, start, from.length - end, to.length - end);
  kept.push([from.length - end, to.length - end]);
  let oldIndex = start;
  let newIndex = start;
  // Between two kept elements: what stands on both sides is compared pair by pair, the rest removed or added.
  for (const [keptOld, keptNew] of kept) {
    while (oldIndex < keptOld && newIndex < keptNew) {
      compare(from[oldIndex], to[newIndex], pointerTo(path, newIndex), patches);
      oldIndex += 1;
      newIndex += 1;
    }
    for (; oldIndex < keptOld; oldIndex += 1) {
      patches.push(patch({ op: 'remove', path: pointerTo(path, newIndex) }));
    }
    for (; newIndex < keptNew; newIndex += 1) {
      const value = jsonOf(to[newIndex]);
      patches.push(patch({ op: 'add', path: pointerTo(path, newIndex), value }));
    }
    oldIndex = keptOld + 1;
    newIndex = keptNew + 1;
  }
}

type Pair = readonly [oldIndex: number, newIndex: number];

/** Elements that stand on both sides in the same order: [old index, new index], ascending. */
function align(
  from: readonly unknown[],
  to: readonly unknown[],
  start: number,
  fromEnd: number,
  toEnd: number,
): Pair[] {
  if (start === fromEnd || start === toEnd) return [];
  return longestAscending(pairUp(from, to, start, fromEnd, toEnd));
}

/** Each new element with an old one that is the same, none used twice; ascending by new index. */
function pairUp(
  from: readonly unknown[],
  to: readonly unknown[],
  start: number,
  fromEnd: number,
  toEnd: number,
): Pair[] {
  const nameOf = naming(from.slice(start, fromEnd), to.slice(start, toEnd));
  /** Old indices of each name, the smallest last. */
  const places = new Map<unknown, number[]>();
  for (let index = fromEnd - 1; index >= start; index -= 1) {
    const name = nameOf(from[index]);
    const list = places.get(name);
    if (list) list.push(index);
    else places.set(name, [index]);
  }
  const pairs: Pair[] = [];
  let last = -1;
  for (let index = start; index < toEnd; index += 1) {
    const list = places.get(nameOf(to[index]));
    if (list === undefined) continue;
    // Of equal elements the next one behind the last pair, which keeps the order.
    while (list.length > 1 && (list.at(-1) as number) < last) list.pop();
    const old = list.pop();
    if (old === undefined) continue;
    pairs.push([old, index]);
    last = old;
  }
  return pairs;
}

/** Names elements so that those of one name are the same. An object that both sides share is told by itself, any other by its content. */
function naming(from: readonly unknown[], to: readonly unknown[]): (element: unknown) => unknown {
  const old = new Set(from);
  const shared = new Set(to.filter((element) => old.has(element)));
  return (element) => {
    const view = viewOf(element);
    if (typeof view === 'string') return `text ${view}`;
    if (typeof view !== 'object' || view === null) return view;
    return shared.has(element) ? element : `json ${textOf(view)}`;
  };
}

/** The longest run of pairs whose old indices ascend as well. */
function longestAscending(pairs: readonly Pair[]): Pair[] {
  /** Places in `pairs`: the best end of a run of each length. */
  const ends: number[] = [];
  const previous: number[] = [];
  const old = (place: number): number => (pairs[place] as Pair)[0];
  for (let place = 0; place < pairs.length; place += 1) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (old(ends[middle] as number) < old(place)) low = middle + 1;
      else high = middle;
    }
    previous.push(low > 0 ? (ends[low - 1] as number) : -1);
    ends[low] = place;
  }
  const run: Pair[] = [];
  for (let place = ends.at(-1) ?? -1; place >= 0; place = previous[place] as number) {
    run.push(pairs[place] as Pair);
  }
  return run.reverse();
}
