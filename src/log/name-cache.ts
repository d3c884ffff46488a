import { stringAt } from './envelope.js';

/** More than the names that are busy at one time; a power of two. */
const SLOTS = 32_768;

/**
 * Makes strings of names as they stand in lines. The same few names stand in most of them, so the last ones made are found again by their
 * bytes: that costs less than another string, and a string that was looked up before is looked up faster again.
 */
export class NameCache {
  /** Only names that have as many characters as bytes: ASCII without escapes, which can be compared where they stand. */
  readonly #names: string[] = new Array<string>(SLOTS).fill('');

  /** The string whose content, as it stands in JSON, is at `[start, end)`. */
  text(buffer: Buffer, start: number, end: number): string {
    const length = end - start;
    let hash = length;
    for (let index = start; index < end; index += 1) {
      hash = (Math.imul(hash, 31) + (buffer[index] as number)) | 0;
    }
    const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
    const known = this.#names[slot] as string;
    if (known.length === length && stands(known, buffer, start)) return known;
    const made = stringAt(buffer, start, end);
    if (made.length === length) this.#names[slot] = made;
    return made;
  }
}

function stands(text: string, buffer: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (buffer[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
