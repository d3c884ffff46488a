/**
 * How the main thread and the writer thread talk: one word of shared memory that says whose turn it is, a letter box, and
 * shared buffers for commit lines. No message events: the writer thread never returns to its event loop, so that nothing runs there
 * between lock and unlock.
 */
import type { MessagePort } from 'node:worker_threads';
import { SALT_DIGITS } from './format.js';
import type { GroupResult, MovedGroup } from './group-request.js';
import type { Writer } from './mark.js';
import type { Place } from './place.js';
import type { RebaseFacts } from './rebase.js';
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
export const Word = { turn: 0, interrupt: 1, ready: 2, letterForm: 3, witness: 4 } as const;

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
  readonly rebase: RebaseFacts | undefined;
}

export interface AnchorLetter {
  readonly kind: 'anchor';
  readonly deadline: number;
}

export interface SegmentLetter {
  readonly kind: 'segment';
  readonly deadline: number;
}

export type RequestLetter = GroupLetter | AnchorLetter | SegmentLetter;

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

type Written = Extract<GroupResult, { kind: 'written' }>;

/** What others wrote lies in the memory for that; the letter says how many bytes. */
type WrittenLetter = Omit<Written, 'moved'> & {
  readonly moved?: Omit<MovedGroup, 'others'> & { readonly others: number };
};

export type ResultLetter =
  | WrittenLetter
  | Exclude<GroupResult, Written>
  | { readonly kind: 'done' }
  | { readonly kind: 'ended'; readonly place: Place }
  | FailureLetter;

/** What a request came to, as its owner is told. */
export type Result = GroupResult | Exclude<ResultLetter, WrittenLetter>;

/** An error in plain JSON: the class by its code, its facts, and its cause. */
export interface ErrorLetter {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly cause?: ErrorLetter;
}

/** Slices and writes of Buffer without argument checks. */
interface FastBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
}

/** Forms of a letter besides JSON, which has a length from 0. */
const GROUP_FORM = -1;
const WRITTEN_FORM = -2;
const SEAL_BYTES = 64;
/** Behind the numbers of a letter. */
const TEXT_OFFSET = 256;
const TIME_BYTES = 24;
const BEFORE_AT = 512;
const TIME_AT = BEFORE_AT + TIME_BYTES;
const CLOCK_AT = TIME_AT + TIME_BYTES;

/**
 * Holds one letter at a time, and belongs to whoever has the turn. The two letters of every group are a few numbers and digits at fixed
 * places, because a lone caller waits for them; all others are JSON.
 */
export class LetterBox {
  readonly #control: Int32Array;
  readonly #letters: FastBuffer;
  readonly #numbers: Float64Array;

  constructor(control: Int32Array, letters: SharedArrayBuffer) {
    this.#control = control;
    this.#letters = Buffer.from(letters) as FastBuffer;
    this.#numbers = new Float64Array(letters, 0, TEXT_OFFSET / Float64Array.BYTES_PER_ELEMENT);
  }

  put(letter: RequestLetter | MovedLetter | AnswerLetter | ResultLetter): void {
    let form: number;
    if ('kind' in letter && letter.kind === 'group') form = this.#putGroup(letter);
    else if ('kind' in letter && letter.kind === 'written' && !letter.moved)
      form = this.#putWritten(letter);
    else form = this.#letters.write(JSON.stringify(letter), 0, 'utf8');
    Atomics.store(this.#control, Word.letterForm, form);
  }

  take<T extends RequestLetter | MovedLetter | AnswerLetter | ResultLetter>(): T {
    const form = Atomics.load(this.#control, Word.letterForm);
    if (form === GROUP_FORM) return this.#takeGroup() as T;
    if (form === WRITTEN_FORM) return this.#takeWritten() as T;
    return JSON.parse(this.#letters.toString('utf8', 0, form)) as T;
  }

  #putGroup(letter: GroupLetter): number {
    const numbers = this.#numbers;
    numbers[0] = letter.buffer;
    numbers[1] = letter.bytes;
    numbers[2] = letter.firstPosition;
    numbers[3] = letter.lastPosition;
    numbers[4] = letter.deadline;
    this.#putPlace(letter.base, 5, TEXT_OFFSET);
    this.#letters.latin1Write(letter.salt, TEXT_OFFSET + SEAL_BYTES, SALT_DIGITS);
    const { rebase } = letter;
    numbers[8] = rebase ? 1 : 0;
    if (!rebase) return GROUP_FORM;
    this.#putTime(rebase.before, BEFORE_AT);
    this.#putTime(rebase.time, TIME_AT);
    this.#putTime(rebase.clock, CLOCK_AT);
    return GROUP_FORM;
  }

  #takeGroup(): GroupLetter {
    const numbers = this.#numbers;
    const saltAt = TEXT_OFFSET + SEAL_BYTES;
    return {
      kind: 'group',
      buffer: numbers[0] as number,
      bytes: numbers[1] as number,
      firstPosition: numbers[2] as number,
      lastPosition: numbers[3] as number,
      deadline: numbers[4] as number,
      base: this.#takePlace(5, TEXT_OFFSET),
      salt: this.#letters.latin1Slice(saltAt, saltAt + SALT_DIGITS),
      rebase:
        numbers[8] === 0
          ? undefined
          : {
              before: this.#takeTime(BEFORE_AT),
              time: this.#takeTime(TIME_AT),
              clock: this.#takeTime(CLOCK_AT),
            },
    };
  }

  #putTime(time: string, at: number): void {
    this.#letters.latin1Write(time.padEnd(TIME_BYTES), at, TIME_BYTES);
  }

  #takeTime(at: number): string {
    return this.#letters.latin1Slice(at, at + TIME_BYTES).trimEnd();
  }

  #putWritten(letter: WrittenLetter): number {
    const numbers = this.#numbers;
    numbers[0] = letter.start;
    numbers[1] = letter.closed ? 1 : 0;
    this.#putPlace(letter.place, 2, TEXT_OFFSET);
    if (letter.closed) this.#putPlace(letter.closed, 5, TEXT_OFFSET + SEAL_BYTES);
    return WRITTEN_FORM;
  }

  #takeWritten(): WrittenLetter {
    const start = this.#numbers[0] as number;
    const place = this.#takePlace(2, TEXT_OFFSET);
    if (this.#numbers[1] === 0) return { kind: 'written', place, start };
    return { kind: 'written', place, start, closed: this.#takePlace(5, TEXT_OFFSET + SEAL_BYTES) };
  }

  #putPlace({ segment, offset, position, seal }: Place, index: number, sealAt: number): void {
    this.#numbers[index] = segment;
    this.#numbers[index + 1] = offset;
    this.#numbers[index + 2] = position;
    this.#letters.latin1Write(seal, sealAt, SEAL_BYTES);
  }

  #takePlace(index: number, sealAt: number): Place {
    return {
      segment: this.#numbers[index] as number,
      offset: this.#numbers[index + 1] as number,
      position: this.#numbers[index + 2] as number,
      seal: this.#letters.latin1Slice(sealAt, sealAt + SEAL_BYTES),
    };
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
