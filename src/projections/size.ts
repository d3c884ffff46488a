/**
 * What a state takes in memory, estimated for a cache that is bounded in bytes. Rather too much than too little: texts count two bytes a
 * character, and a part that several states share counts in each. Linear in the size of the state.
 */

const HEADER = 32;
const SLOT = 8;
/** A number with a fraction, or a large one, does not fit into its slot. */
const BOXED = 16;
/** Place of a member; the names are shared between objects of one shape. */
const MEMBER = 24;
/** Objects of more members are mostly dictionaries: their names are their own, in a hash table. */
const SHAPE_MEMBERS_MAX = 16;
const DICTIONARY_MEMBER = 64;
const MAP_ENTRY = 48;
const SET_ENTRY = 32;

/** Bytes, never 0. */
export function bytesOf(state: unknown): number {
  switch (typeof state) {
    case 'string':
      return HEADER + 2 * state.length;
    case 'number':
      return Number.isInteger(state) && Math.abs(state) < 2 ** 30 ? SLOT : BOXED;
    case 'bigint':
      return HEADER + state.toString(16).length;
    case 'object':
      return state === null ? SLOT : containerBytes(state);
    default:
      return SLOT;
  }
}

function containerBytes(container: object): number {
  let bytes = HEADER;
  if (Array.isArray(container)) {
    for (let index = 0; index < container.length; index += 1) {
      bytes += SLOT + bytesOf(container[index]);
    }
  } else if (container instanceof Map) {
    for (const [key, value] of container) bytes += MAP_ENTRY + bytesOf(key) + bytesOf(value);
  } else if (container instanceof Set) {
    for (const value of container) bytes += SET_ENTRY + bytesOf(value);
  } else {
    const members = container as Record<string, unknown>;
    const keys = Object.keys(members);
    const isDictionary = keys.length > SHAPE_MEMBERS_MAX;
    for (const key of keys) {
      bytes += (isDictionary ? DICTIONARY_MEMBER + key.length : MEMBER) + bytesOf(members[key]);
    }
  }
  return bytes;
}
