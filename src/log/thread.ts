/** The main thread's side of the writer thread. */
import { fstatSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import {
  type AnswerLetter,
  CONTROL_BYTES,
  type GroupLetter,
  LETTER_BYTES,
  LetterBox,
  type MovedLetter,
  type RequestLetter,
  type Result,
  type ResultLetter,
  type ThreadSetup,
  Turn,
  Word,
} from './channel.js';
import { type GroupRequest, MOVED_BYTES_MAX } from './group-request.js';
import type { Place } from './place.js';

type Setup = Omit<ThreadSetup, 'control' | 'letters' | 'moved' | 'port'>;

const ENDED = 'the writer thread ended';
/** How often a blocked main thread makes sure that the writer thread still runs, ms. */
const ALIVE_CHECK_MS = 200;

/** A request in flight. */
interface Flight {
  readonly moved: (bytes: Buffer, place: Place) => GroupRequest | undefined;
  readonly done: (result: Result) => void;
}

export class WriterThread {
  readonly #control: Int32Array;
  readonly #box: LetterBox;
  readonly #moved: Buffer;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #numbers = new Map<Buffer, number>();
  #nextNumber = 1;
  #flight: Flight | undefined;
  #watching = false;
  #dead: Error | undefined;
  #closing = false;
  readonly #onDeath: (error: Error) => void;
  readonly #lockInode: number;

  /** `onDeath` is told once if the thread ends on its own; a request in flight is then lost. */
  constructor(setup: Setup, onDeath: (error: Error) => void) {
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    const letters = new SharedArrayBuffer(LETTER_BYTES);
    const moved = new SharedArrayBuffer(MOVED_BYTES_MAX);
    const { port1, port2 } = new MessageChannel();
    this.#control = new Int32Array(control);
    this.#box = new LetterBox(this.#control, letters);
    this.#moved = Buffer.from(moved);
    this.#port = port1;
    this.#onDeath = onDeath;
    this.#lockInode = setup.lockInode;
    const data: ThreadSetup = { ...setup, control, letters, moved, port: port2 };
    this.#worker = new Worker(new URL('./writer-thread.js', import.meta.url), {
      workerData: data,
      transferList: [port2],
      // Its own arguments: a program's --require or --eval has no business in here.
      execArgv: [],
      env: {},
      // Else its output is piped into this program's, which switches pipes to non-blocking and adds listeners for each thread.
      stdout: true,
      stderr: true,
      name: 'recollect writer',
    });
    port1.unref();
    this.#worker.unref();
    this.#worker.on('error', (error) => this.#died(error));
    this.#worker.on('exit', () => this.#died(new Error(ENDED)));
  }

  /** True once requests can be made. */
  get ready(): boolean {
    return this.#dead === undefined && Atomics.load(this.#control, Word.ready) === 1;
  }

  get dead(): boolean {
    return this.#dead !== undefined;
  }

  /** True while a request is in flight. */
  get busy(): boolean {
    return this.#flight !== undefined;
  }

  /** Memory that both threads see. */
  static buffer(bytes: number): Buffer {
    return Buffer.from(new SharedArrayBuffer(bytes));
  }

  /** Hands a request over. One at a time. */
  submit(request: RequestLetter, flight: Flight): void {
    this.#flight = flight;
    Atomics.store(this.#control, Word.interrupt, 0);
    this.#box.put(request);
    this.#pass(Turn.request);
    // While something is in flight the process stays; an idle thread keeps nobody.
    this.#worker.ref();
    this.#watch();
  }

  /** The letter of a group, its buffer handed over if the thread does not have it yet. */
  letter(group: GroupRequest, deadline: number): GroupLetter {
    const { base, bytes, firstPosition, lastPosition, salt, rebase } = group;
    const buffer = this.#numberOf(group.buffer);
    return {
      kind: 'group',
      buffer,
      bytes,
      base,
      firstPosition,
      lastPosition,
      salt,
      deadline,
      rebase,
    };
  }

  /** Forgets a buffer that is used no more. */
  release(buffer: Buffer): void {
    const number = this.#numbers.get(buffer);
    if (number === undefined) return;
    this.#numbers.delete(buffer);
    this.#port.postMessage({ number, memory: null });
  }

  #numberOf(buffer: Buffer): number {
    const known = this.#numbers.get(buffer);
    if (known !== undefined) return known;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    this.#numbers.set(buffer, number);
    this.#port.postMessage({ number, memory: buffer.buffer });
    return number;
  }

  /** Takes a result that is there already, without waiting for this thread to come back to its event loop. */
  poll(): void {
    if (Atomics.load(this.#control, Word.turn) === Turn.result) this.#look();
  }

  /** Ends a wait for the lock; what is past that point goes on to its end. */
  interrupt(): void {
    Atomics.store(this.#control, Word.interrupt, 1);
  }

  /** Blocks this thread until nothing is in flight. */
  settleSync(): void {
    while (this.#flight !== undefined && this.#dead === undefined) {
      const turn = Atomics.load(this.#control, Word.turn);
      if (turn === Turn.request || turn === Turn.answer) {
        const woken = Atomics.wait(this.#control, Word.turn, turn, ALIVE_CHECK_MS);
        // Its end is told by an event, which cannot come while this thread blocks.
        if (woken === 'timed-out' && !this.#isAlive()) this.#died(new Error(ENDED));
      }
      this.#look();
    }
  }

  /** Whether the file is still open that the thread keeps open as long as it runs. */
  #isAlive(): boolean {
    try {
      return fstatSync(Atomics.load(this.#control, Word.witness)).ino === this.#lockInode;
    } catch {
      return false;
    }
  }

  /** Ends the thread once it is idle. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#dead) return;
    const ended = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.ref();
    this.#pass(Turn.close);
    await ended;
    this.#port.close();
  }

  /** The same at once, for synchronous closing: its files are closed when this returns. */
  closeSync(): void {
    this.#closing = true;
    if (this.#dead) return;
    const ready = Atomics.load(this.#control, Word.ready) === 1;
    this.#pass(Turn.close);
    if (ready) {
      while (Atomics.load(this.#control, Word.turn) !== Turn.closed) {
        const woken = Atomics.wait(this.#control, Word.turn, Turn.close, 1000);
        if (woken === 'timed-out') break;
      }
    }
    this.#port.close();
    this.#worker.unref();
  }

  #pass(turn: number): void {
    Atomics.store(this.#control, Word.turn, turn);
    Atomics.notify(this.#control, Word.turn);
  }

  #watch(): void {
    if (this.#watching || this.#flight === undefined) return;
    const turn = Atomics.load(this.#control, Word.turn);
    if (turn === Turn.result || turn === Turn.moved) {
      queueMicrotask(() => this.#look());
      return;
    }
    const wait = Atomics.waitAsync(this.#control, Word.turn, turn);
    if (!wait.async) {
      queueMicrotask(() => this.#look());
      return;
    }
    this.#watching = true;
    void wait.value.then(() => {
      this.#watching = false;
      this.#look();
    });
  }

  /** Takes whatever turn has come to this thread. */
  #look(): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    const turn = Atomics.load(this.#control, Word.turn);
    if (turn === Turn.moved) {
      this.#answer(flight);
    } else if (turn === Turn.result) {
      const result = this.#result(this.#box.take<ResultLetter>());
      this.#flight = undefined;
      Atomics.store(this.#control, Word.turn, Turn.idle);
      flight.done(result);
      if (this.#flight === undefined) this.#worker.unref();
      return;
    }
    this.#watch();
  }

  #result(letter: ResultLetter): Result {
    if (letter.kind !== 'written') return letter;
    const { moved, ...written } = letter;
    if (!moved) return written;
    // A copy: the memory belongs to the next request.
    const others = Buffer.from(this.#moved.subarray(0, moved.others));
    return { ...written, moved: { ...moved, others } };
  }

  #answer(flight: Flight): void {
    let letter: MovedLetter;
    try {
      letter = this.#box.take<MovedLetter>();
    } catch (error) {
      // The thread took the turn back, and its next letter is just being written over this one.
      if (Atomics.load(this.#control, Word.turn) !== Turn.moved) return;
      throw error;
    }
    const { bytes, place } = letter;
    // A copy: the thread takes its buffer back when the answer comes too late.
    const tail = Buffer.from(this.#moved.subarray(0, bytes));
    if (Atomics.load(this.#control, Word.turn) !== Turn.moved) return;
    let answer: AnswerLetter = { kind: 'give-up' };
    try {
      const group = flight.moved(tail, place);
      if (group) answer = this.letter(group, 0);
    } finally {
      this.#reply(answer);
    }
  }

  #reply(answer: AnswerLetter): void {
    // The box is this thread's only while the turn is: the claim comes before the letter.
    const claimed = Atomics.compareExchange(this.#control, Word.turn, Turn.moved, Turn.answering);
    if (claimed !== Turn.moved) return;
    this.#box.put(answer);
    this.#pass(Turn.answer);
  }

  #died(error: Error): void {
    if (this.#dead) return;
    this.#dead = error;
    // What it finished before it ended is no loss.
    if (Atomics.load(this.#control, Word.turn) === Turn.result) this.#look();
    const flight = this.#flight;
    this.#flight = undefined;
    if (this.#closing) return;
    this.#onDeath(error);
    flight?.done({
      kind: 'failed',
      error: { name: 'Error', message: error.message, code: 'OUTCOME_UNKNOWN', facts: {} },
      poisoned: true,
    });
  }
}
