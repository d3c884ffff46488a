/** Names of streams, types, actors and keys: what they may be, and their forms in a line. */
import { invalidArgument, LimitExceededError, quote } from '../errors.js';
import { kindOf } from './json.js';
import { nameBytesMax } from './limits.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** A name of 1 to 200 bytes without control characters; control characters would not survive being printed. */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string') {
    throw invalidArgument(`${what} must be a string, not ${kindOf(name)}`);
  }
  if (name.length === 0) throw invalidArgument(`${what} must not be empty`);
  if (CONTROL.test(name)) {
    throw invalidArgument(`${what} ${quote(name)} has a control character; leave it out`);
  }
  if (!name.isWellFormed()) {
    throw invalidArgument(`${what} ${quote(name)} has half a surrogate pair; use toWellFormed()`);
  }
  if (name.length * 3 > nameBytesMax) {
    const bytes = Buffer.byteLength(name);
    if (bytes > nameBytesMax)
      throw new LimitExceededError('nameBytesMax', nameBytesMax, bytes, what);
  }
}

/** What the store's own streams, projections and indexes begin with; they stand beside those of its users. */
const OWN = '$';

/** Everybody may read what is the store's own; only the store makes it. @throws TypeError */
export function checkNotOwn(name: string, what: string): void {
  if (!name.startsWith(OWN)) return;
  throw invalidArgument(
    `${what} ${quote(name)} begins with '${OWN}', which the store keeps for its own; use another name`,
  );
}

/** A name that was found right, in the forms in which lines need it. */
export interface KnownName {
  /** As JSON text. */
  readonly text: string;
  /** As the end of an event's envelope, `,"type"]`, in a list of its own. */
  readonly asTypeAlone: readonly string[];
  readonly alone: readonly string[];
  readonly textAlone: readonly string[];
}

/** The same few streams and types come again and again. */
const knownNames = new Map<string, KnownName>();
const KNOWN_NAMES_MAX = 20_000;

/** `what` and `part` together name it in an error. */
export function knownName(name: unknown, what: string, part = ''): KnownName {
  if (typeof name === 'string') {
    const known = knownNames.get(name);
    if (known !== undefined) return known;
  }
  checkName(name, what + part);
  const text = JSON.stringify(name);
  const known = { text, asTypeAlone: [`,${text}]`], alone: [name], textAlone: [text] };
  if (knownNames.size >= KNOWN_NAMES_MAX) knownNames.clear();
  knownNames.set(name, known);
  return known;
}
