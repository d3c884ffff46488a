/**
 * How the main thread and the writer thread talk: one word of shared memory that says whose turn it is, a letter box, and
 * shared buffers for commit lines. No message events: the writer thread never returns to its event loop, so that nothing runs there
 * between lock and unlock.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Writer } from './mark.js';
import type { Place } from './place.js';
import type { GroupResult } from './section.js';
import type { StoreFacts } from './store-file.js';

/** Whose turn it is. */
export const Turn = {
  /** The writer thread has started, or has nothing to do. */
  idle: 0,
  /** To the writer thread: a request lies in the box. */
  request: 1,
  /** To the main thread: the result lies in the box. */
  result: 2,
  /** To the main thread: others wrote; a new decision is wanted, the lock is held meanwhile. */
  moved: 3,
  /** To the writer thread: the new decision lies in the box. */
  answer: 4,
  /** The main thread is writing its answer into the box. */
  answering: 7,
  /** To the writer thread: close the files and end. */
  close: 5,
  /** To the main thread: ended. */
  closed: 6,
} as const;

/** Words of the control block. */
export const Word = { turn: 0, interrupt: 1, ready: 2, letterBytes: 3, witness: 4 } as const;

export const CONTROL_BYTES = 64;
export const LETTER_BYTES: number = 64 * 1024;

/** The lock is kept this long for a new decision; then others come first. */
export const DECISION_MS = 50;

export interface ThreadSetup {
  readonly control: SharedArrayBuffer;
  readonly letters: SharedArrayBuffer;
  /** What others wrote, handed over with `Turn.moved`. */
  readonly moved: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly lockFile: number;
  readonly lockInode: number;
  readonly directory: string;
  readonly store: StoreFacts;
  readonly segmentBytes: number;
  readonly label: string;
  readonly writer: Writer;
}

/** A group request as it travels: its buffer is known by number. */
export interface GroupLetter {
  readonly kind: 'group';
  readonly buffer: number;
  readonly bytes: number;
  readonly base: Place;
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly salt: string;
  readonly deadline: number;
}

export interface AnchorLetter {
  readonly kind: 'anchor';
  readonly deadline: number;
}

export type RequestLetter = GroupLetter | AnchorLetter;

export interface MovedLetter {
  readonly bytes: number;
  readonly place: Place;
}

export type AnswerLetter = GroupLetter | { readonly kind: 'give-up' };

export interface FailureLetter {
  readonly kind: 'failed';
  /** Goes to the structured error on the other side. */
  readonly error: ErrorLetter;
  /** The section stopped for good. */
  readonly poisoned: boolean;
}

export type ResultLetter = GroupResult | { readonly kind: 'done' } | FailureLetter;

/** An error in plain JSON: the class by its code, its facts, and its cause. */
export interface ErrorLetter {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly cause?: ErrorLetter;
}

export class LetterBox {
  readonly #control: Int32Array;
  readonly #letters: Buffer;

  constructor(control: Int32Array, letters: SharedArrayBuffer) {
    this.#control = control;
    this.#letters = Buffer.from(letters);
  }

  put(letter: unknown): void {
    const bytes = this.#letters.write(JSON.stringify(letter), 0, 'utf8');
    Atomics.store(this.#control, Word.letterBytes, bytes);
  }

  take<T>(): T {
    const bytes = Atomics.load(this.#control, Word.letterBytes);
    return JSON.parse(this.#letters.toString('utf8', 0, bytes)) as T;
  }
}

const DEPTH_MAX = 4;

export function errorLetter(error: unknown, depth = 0): ErrorLetter {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), facts: {} };
  const facts: Record<string, unknown> = {};
  for (const key of Object.keys(error)) {
    if (key === 'cause') continue;
    const value: unknown = Reflect.get(error, key);
    if (['string', 'number', 'boolean'].includes(typeof value)) facts[key] = value;
  }
  const code: unknown = Reflect.get(error, 'code');
  const text = error.message.slice(0, 4000);
  return {
    name: error.name,
    message: text,
    ...(typeof code === 'string' ? { code } : {}),
    facts,
    ...(error.cause === undefined || depth >= DEPTH_MAX
      ? {}
      : { cause: errorLetter(error.cause, depth + 1) }),
  };
}
