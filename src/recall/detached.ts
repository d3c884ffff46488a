/** Texts that keep no other text in memory. */

/** From this length on V8 keeps a part of a text as a reference to all of it. */
const PART_MIN = 13;

/** The same text, of its own: a word that is kept must not keep the whole text alive that it was found in. */
export function detached(text: string): string {
  return text.length < PART_MIN ? text : ` ${text}`.slice(1);
}
