/** What every memory model is made of, and what it is given. */
import { invalidArgument, quote } from '../errors.js';
import type { Access } from './access.js';
import type { Meter } from './meter.js';
import { LAST_MS } from './store-time.js';

/** Settings that models share. */
export interface ModelSettings {
  /** How long working memory lives when a call does not say, ms. */
  readonly workingTtlMs: number;
  /** Language of texts, as a Snowball stemmer is named; `none` for none. */
  readonly language: string;
}

const STREAM_BYTES_MAX = 200;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether a store takes it as the name of a stream. */
export function fitsStream(name: string): boolean {
  return name.isWellFormed() && Buffer.byteLength(name) <= STREAM_BYTES_MAX && !CONTROL.test(name);
}

/** The calls of one model on one access. */
export abstract class Model {
  /** @internal */
  protected readonly access: Access;
  /** @internal */
  protected readonly settings: ModelSettings;
  readonly #meter: Meter;
  readonly #name: string;

  constructor(name: string, access: Access, settings: ModelSettings, meter: Meter) {
    this.#name = name;
    this.access = access;
    this.settings = settings;
    this.#meter = meter;
  }

  /** Runs a call and counts it as `model.operation`. Wrong arguments are checked inside, so that they reject. */
  protected measured<T>(operation: string, work: () => Promise<T>): Promise<T> {
    return this.#meter.run(`${this.#name}.${operation}`, work);
  }

  protected measuredSync<T>(operation: string, work: () => T): T {
    return this.#meter.runSync(`${this.#name}.${operation}`, work);
  }

  /** `records/alice` */
  protected streamOf(key: unknown, what: string): string {
    if (typeof key !== 'string' || key === '') {
      throw invalidArgument(`${what} must be a non-empty string`);
    }
    const stream = `${this.#name}/${key}`;
    if (!fitsStream(stream)) {
      const most = STREAM_BYTES_MAX - this.#name.length - 1;
      throw invalidArgument(
        `${what} ${quote(key)} must be well-formed text of at most ${most} bytes without control characters; shorten it, or use its hash and keep the text in the value`,
      );
    }
    return stream;
  }
}

/** @throws TypeError unless it is an object whose members are all known */
export function checkMembers(
  value: unknown,
  what: string,
  members: readonly string[],
): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument(`${what} must be an object`);
  }
  for (const member of Object.keys(value)) {
    if (members.includes(member)) continue;
    throw invalidArgument(
      `nothing is known of ${quote(member)} in ${what}; known are ${members.join(', ')}`,
    );
  }
}

/** @throws TypeError */
export function checkText(value: unknown, what: string): asserts value is string {
  if (typeof value === 'string' && value.trim() !== '') return;
  throw invalidArgument(`${what} must be a text that is not empty`);
}

/** @throws TypeError */
export function checkTexts(value: unknown, what: string): asserts value is readonly string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === 'string' && text !== ''))
    return;
  throw invalidArgument(`${what} must be a list of strings that are not empty`);
}

/** @throws TypeError */
export function checkDurationMs(value: unknown, what: string): asserts value is number {
  if (typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER) return;
  throw invalidArgument(`${what} must be a number of milliseconds above 0`);
}

/** @throws TypeError */
export function checkLimit(value: unknown, what = 'limit'): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return;
  throw invalidArgument(`${what} must be an integer from 0`);
}

/** ISO 8601 so many milliseconds after a time; the last time that can be written where that lies beyond. */
export function after(time: string, milliseconds: number): string {
  return new Date(Math.min(LAST_MS, Date.parse(time) + milliseconds)).toISOString();
}

/** Deeply frozen copies of defaults that are given out when nothing is stored. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
