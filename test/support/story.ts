/**
 * Small stories about logs on a simulated disk: who opens, appends, reads and closes, and in which order. A story can be told
 * again and again, always the same, with another crash or another fault each time. What was asked and answered is
 * kept in a ledger.
 *
 * A log is named by a letter and more: `a` and `a2` belong to the process `a`, and logs of processes whose name begins with `r` only read.
 */
import { vi } from 'vitest';
import {
  LockTimeoutError,
  OutcomeUnknownError,
  RecollectError,
  StoreDamagedError,
  StoreMovedError,
  StoreNotFoundError,
  StorePoisonedError,
} from '#src/errors.js';
import type { Disk } from '#src/log/disk.js';
import type { Environment } from '#src/log/environment.js';
import type { Log } from '#src/log/log.js';
import type { LogOptions } from '#src/log/log-options.js';
import { openLogOn, openLogOnSync } from '#src/log/open-log.js';
import type { Appended, Committed } from '#src/log/types.js';
import { type Attempt, type CommitPlan, commitsOf, eventsOf, Ledger, partsOf } from './ledger.js';
import { SeededRandom } from './random.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { SimulatedProcess } from './simulated-process.js';

export type How = 'sync' | 'async';

export type Step =
  | { readonly do: 'open'; readonly log: string; readonly how: How }
  | {
      readonly do: 'append';
      readonly log: string;
      /** One after the other, all at once, or all but the last at once and the last one synchronously before they are answered. */
      readonly how: How | 'mixed';
      readonly commits: readonly CommitPlan[];
    }
  | { readonly do: 'read'; readonly log: string; readonly how: How }
  | { readonly do: 'close'; readonly log: string; readonly how: How }
  /** Time passes, and what waits for it happens: anchors move. */
  | { readonly do: 'wait' };

export interface StoryOptions {
  readonly seed: number;
  readonly steps: readonly Step[];
  readonly durability?: 'sync' | 'os';
  readonly idempotencyWindow?: number;
  readonly segmentBytes?: number;
  /** How far each process's clock stands beside the others', ms. */
  readonly skewMs?: Readonly<Record<string, number>>;
}

export interface Telling {
  /** Between the log and the disk of each process. */
  readonly wrap?: ((process: SimulatedProcess) => Disk) | undefined;
  /** Called for each process before its first call: sets its crash or its faults. `life` counts the processes of a name from 1. */
  readonly prepare?: ((process: SimulatedProcess, life: number) => void) | undefined;
  /**
   * What the death of a process means: the whole machine stops, or the others go on and the dead one is started again when
   * it is its turn. Default: it stops.
   */
  readonly death?: ((process: string, life: number) => 'stop' | 'go on') | undefined;
  /** True while disk calls are made to fail: then calls may fail for no other reason. */
  readonly faults?: (() => boolean) | undefined;
  /** True: the mark may be missing, so those who read may not hear of what is new until somebody writes. */
  readonly staleReads?: boolean;
  /** True: what was known may be lost already, so an opening proves nothing about it. */
  readonly lossy?: boolean;
  /** Called before each step. */
  readonly between?: ((step: number) => void) | undefined;
}

export const DIRECTORY = '/memory';
/** As little as will do: every log takes a buffer of that size, and there are thousands of them. */
export const QUEUE_BYTES = 128 * 1024;

/** A turn of the real event loop: everything that waits for no timer is done then. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Timers stand still, so that nothing happens unless a story says so. */
export function stopTime(): void {
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

export function environmentOn(
  disk: Disk,
  of: SimulatedDisk,
  random: SeededRandom,
  skewMs = 0,
): Environment {
  return {
    disk,
    clock: () => of.clock.now() + skewMs,
    monotonic: () => of.clock.now(),
    randomBytes: (count) => random.bytes(count),
    writer: { pid: 1, host: 'simulated', startedAt: 0 },
  };
}

/** Other randomness after each start of the machine: two processes never draw the same. */
export function randomOn(disk: SimulatedDisk, seed: number): SeededRandom {
  return new SeededRandom(seed * 1000 + Number.parseInt(disk.bootId.slice(-6), 16));
}

const WAIT_MS = 1000;
/** A promise that waits for longer than this waits for ever. */
const PATIENCE_MS = 30_000;

interface OpenLog {
  readonly log: Log;
  readonly process: SimulatedProcess;
  /** The last position that it was told to have written. */
  written: number;
}

export class Story {
  readonly options: StoryOptions;
  readonly disk: SimulatedDisk;
  readonly ledger: Ledger;
  /** What was wrong on the way. */
  readonly problems: string[] = [];
  /** All processes of a name, the last one running. */
  readonly lives = new Map<string, SimulatedProcess[]>();
  readonly #telling: Telling;
  readonly #logs = new Map<string, OpenLog>();
  readonly #random: SeededRandom;
  /** Logs that said that an outcome is unknown, or that they are poisoned: they must never acknowledge anything again. */
  readonly #poisoned = new Set<Log>();

  constructor(options: StoryOptions, telling: Telling = {}, from?: Pick<Story, 'disk' | 'ledger'>) {
    this.options = options;
    this.#telling = telling;
    this.disk = from?.disk ?? new SimulatedDisk({ seed: options.seed });
    this.ledger = from?.ledger ?? new Ledger(options.idempotencyWindow);
    this.#random = randomOn(this.disk, options.seed);
  }

  /** Tells the story. Gives true when a death stopped it. */
  async tell(): Promise<boolean> {
    stopTime();
    try {
      for (const [number, step] of this.options.steps.entries()) {
        this.#telling.between?.(number);
        this.#buryDead();
        if (this.#isStopped()) return true;
        await this.#step(step);
        // Index files are written meanwhile.
        await turn();
        this.#buryDead();
        if (this.#isStopped()) return true;
      }
      return false;
    } finally {
      vi.clearAllTimers();
    }
  }

  /** Ends all processes that still run. */
  end(): void {
    for (const { process } of this.#logs.values()) process.die();
    this.#buryDead();
  }

  /** Closes what is open, as a program does at its end. */
  async close(): Promise<void> {
    for (const name of [...this.#logs.keys()]) await this.#close(name, 'sync');
    await turn();
  }

  #buryDead(): void {
    for (const [name, { log, process }] of this.#logs) {
      if (process.alive) continue;
      this.#logs.delete(name);
      bury(log);
    }
  }

  #isStopped(): boolean {
    const { death = () => 'stop' } = this.#telling;
    return [...this.lives].some(([name, lives]) =>
      lives.some(({ alive }, index) => !alive && death(name, index + 1) === 'stop'),
    );
  }

  process(name: string): SimulatedProcess {
    const process = this.disk.process(name);
    const lives = this.lives.get(name) ?? [];
    this.lives.set(name, lives);
    if (lives.at(-1) !== process) {
      lives.push(process);
      this.#telling.prepare?.(process, lives.length);
    }
    return process;
  }

  async #step(step: Step): Promise<void> {
    if (step.do === 'wait') {
      this.disk.clock.advance(WAIT_MS);
      vi.advanceTimersByTime(WAIT_MS);
      return;
    }
    if (step.do === 'open') {
      if (!this.#logs.has(step.log)) await this.#open(step.log, step.how);
      return;
    }
    if (step.do === 'close') {
      await this.#close(step.log, step.how);
      return;
    }
    const log = this.#logs.get(step.log)?.log ?? (await this.#open(step.log, 'sync'));
    if (!log) return;
    if (step.do === 'read') await this.#read(step.log, log, step.how);
    else await this.#append(step.log, log, step.how, step.commits);
  }

  async #open(name: string, how: How): Promise<Log | undefined> {
    const { durability, idempotencyWindow, segmentBytes, skewMs } = this.options;
    const letter = name.slice(0, 1);
    const process = this.process(letter);
    const disk = this.#telling.wrap?.(process) ?? process;
    const environment = environmentOn(disk, this.disk, this.#random, skewMs?.[letter]);
    const options: LogOptions = {
      readOnly: letter === 'r',
      durability,
      idempotencyWindow,
      segmentBytes: segmentBytes ?? 4096,
      lockTimeoutMs: 20,
      queueBytes: QUEUE_BYTES,
    };
    try {
      const log =
        how === 'sync'
          ? openLogOnSync(environment, DIRECTORY, options)
          : await this.#finish(openLogOn(environment, DIRECTORY, options));
      this.#logs.set(name, { log, process, written: 0 });
      if (!['clean', 'repaired', 'torn'].includes(log.recovery.state)) {
        this.#problem(`${name} found the store ${log.recovery.state}: ${log.recovery.problem}`);
      }
      if (letter !== 'r' && !this.#telling.lossy) this.ledger.synced(this.ledger.head);
      return log;
    } catch (error) {
      const isEarly = error instanceof StoreNotFoundError && letter === 'r';
      if (!isEarly) this.#failed(process, error, `opening ${name}`);
      this.#checkFiles(process, `${name} could not be opened`);
      return undefined;
    }
  }

  async #close(name: string, how: How): Promise<void> {
    const entry = this.#logs.get(name);
    if (!entry) return;
    const { log, process } = entry;
    this.#logs.delete(name);
    try {
      if (how === 'sync') log.closeSync();
      else await this.#finish(log.close());
      const isWell = !this.#telling.faults?.() && !this.#poisoned.has(log) && !this.#lockIsStuck();
      if (isWell) this.ledger.synced(entry.written);
    } catch (error) {
      this.#failed(process, error, `closing ${name}`);
    }
    // An index that was being written is given up meanwhile.
    await turn();
    this.#checkFiles(process, `${name} was closed`);
    bury(log);
  }

  /** A process without a log has no file open. */
  #checkFiles(process: SimulatedProcess, when: string): void {
    const { alive, openFiles } = process;
    const others = [...this.#logs.values()].some((other) => other.process === process);
    if (others || !alive || openFiles.length === 0) return;
    this.#problem(`${when}, and these stayed open: ${openFiles.join(', ')}`);
  }

  async #read(name: string, log: Log, how: How): Promise<void> {
    const process = this.process(name.slice(0, 1));
    try {
      const events =
        how === 'sync' ? log.readAllSync().toArray() : await this.#finish(log.readAll().toArray());
      const commits = commitsOf(events);
      const isBehind = this.#telling.staleReads === true;
      for (const problem of this.ledger.problemsOf(commits, isBehind)) {
        this.#problem(`${name} reads: ${problem}`);
      }
      this.ledger.served(commits);
      const [stream] = events.map((event) => event.stream);
      if (stream === undefined) return;
      const own = events.filter((event) => event.stream === stream);
      const backward = [...log.readStreamSync(stream, { direction: 'backward' })];
      if (JSON.stringify(backward.reverse()) !== JSON.stringify(own)) {
        this.#problem(`${name} reads ${stream} otherwise than the whole log`);
      }
      if (log.versionSync(stream) !== own.at(-1)?.version) {
        this.#problem(`${name} says that ${stream} has version ${log.versionSync(stream)}`);
      }
    } catch (error) {
      this.#failed(process, error, `reading ${name}`);
    }
  }

  async #append(
    name: string,
    log: Log,
    how: How | 'mixed',
    plans: readonly CommitPlan[],
  ): Promise<void> {
    const process = this.process(name.slice(0, 1));
    const attempts: Attempt[] = [];
    const begin = (plan: CommitPlan): Attempt => {
      const attempt = this.ledger.begin(plan);
      attempts.push(attempt);
      return attempt;
    };
    let isUseless = false;
    const wasPoisoned = this.#poisoned.has(log);
    const answered = (attempt: Attempt, answer: Committed): void => {
      if (wasPoisoned) {
        this.#problem(
          `${name} acknowledged commit ${attempt.plan.content} although it was poisoned`,
        );
      }
      this.ledger.acknowledged(attempt, answer);
    };
    const refused = (attempt: Attempt, error: unknown): void => {
      // Of what a dying process was told nobody ever heard.
      if (!process.alive) return;
      const what = `commit ${attempt.plan.content} of ${name}`;
      if (this.#failed(process, error, what)) this.ledger.failed(attempt, error as Error);
      if (error instanceof OutcomeUnknownError) this.#poisoned.add(log);
      if (!(error instanceof StorePoisonedError)) return;
      isUseless = true;
      this.#poisoned.add(log);
    };
    const together = how === 'sync' ? [] : plans.slice(0, how === 'mixed' ? -1 : plans.length);
    const waiting = together.map((plan) => {
      const attempt = begin(plan);
      return appendOn(log, plan).then(
        (answer) => answered(attempt, answer),
        (error: unknown) => refused(attempt, error),
      );
    });
    for (const plan of plans.slice(together.length)) {
      if (!process.alive) break;
      const attempt = begin(plan);
      try {
        answered(attempt, appendOnSync(log, plan));
      } catch (error) {
        refused(attempt, error);
      }
    }
    try {
      await this.#finish(Promise.all(waiting));
    } catch (error) {
      this.#problem(`${name}: ${String(error)}`);
    }
    const positions = attempts.flatMap(({ outcome }) =>
      outcome.kind === 'durable' && !outcome.answer.repeated ? [outcome.answer.position] : [],
    );
    if (positions.some((position, at) => position < (positions[at - 1] ?? 0))) {
      this.#problem(`${name} did not keep the order of its calls: ${positions.join(', ')}`);
    }
    const entry = this.#logs.get(name);
    if (entry) entry.written = Math.max(entry.written, ...positions);
    // A poisoned log is of no use any more; the next step opens another one.
    if (isUseless) await this.#close(name, 'sync');
  }

  /** True when the error is one that a caller may see and that says that nothing is wrong with the store. */
  #failed(process: SimulatedProcess, error: unknown, what: string): boolean {
    if (!process.alive) return false;
    const isOurs = error instanceof RecollectError;
    if (!isOurs || error instanceof StoreDamagedError || error instanceof StoreMovedError) {
      const told = error instanceof Error ? `${error.name}: ${error.stack}` : String(error);
      this.#problem(`${what} failed with ${told}`);
      return isOurs;
    }
    const isAnswer = ['VERSION_CONFLICT', 'IDEMPOTENCY_KEY_REUSED'].includes(error.code);
    // Once a sync failed, a log is of no use any more, long after the disk is well again.
    const isLate = error instanceof StorePoisonedError && this.#telling.faults !== undefined;
    const isHeld = error instanceof LockTimeoutError && this.#lockIsStuck();
    if (!this.#telling.faults?.() && !isAnswer && !isLate && !isHeld) {
      this.#problem(`${what} failed although nothing was wrong: ${error.stack}`);
    }
    return true;
  }

  /** A lock that could not be given back is held until its owner closes the file. */
  #lockIsStuck(): boolean {
    return this.disk.trace.some(({ method, outcome }) => method === 'unlock' && outcome !== 'done');
  }

  async #finish<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    promise.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    await turn();
    for (let waited = 0; !isDone && waited < PATIENCE_MS; waited += 1) {
      this.disk.clock.advance(1);
      vi.advanceTimersByTime(1);
      await turn();
    }
    if (!isDone) throw new Error('a promise that never ends');
    return promise;
  }

  #problem(text: string): void {
    this.problems.push(text);
  }
}

/** Lets go of a log whose process is dead, or that failed to close. */
function bury(log: Log): void {
  try {
    log.closeSync();
  } catch {
    // A dead process closes nothing; all that matters is that the log itself is forgotten.
  }
}

function contextOf({ key }: CommitPlan): { idempotencyKey?: string } {
  return key === undefined ? {} : { idempotencyKey: key };
}

/** True for a plan that `append` can make, too; every other one is made that way. */
function isSimple(plan: CommitPlan): boolean {
  return plan.parts.length === 1 && !plan.checks && plan.content % 2 === 0;
}

function committed(plan: CommitPlan, { position, time, version, repeated }: Appended): Committed {
  return { position, time, versions: { [plan.parts[0]?.stream ?? '']: version }, repeated };
}

export function appendOn(log: Log, plan: CommitPlan): Promise<Committed> {
  const { parts, checks } = plan;
  const [part] = parts;
  if (!part || !isSimple(plan)) return log.commit(partsOf(plan), { checks, ...contextOf(plan) });
  const { expectedVersion } = part;
  return log
    .append(part.stream, eventsOf(plan, 0), { expectedVersion, ...contextOf(plan) })
    .then((answer) => committed(plan, answer));
}

export function appendOnSync(log: Log, plan: CommitPlan): Committed {
  const { parts, checks } = plan;
  const [part] = parts;
  if (!part || !isSimple(plan)) {
    return log.commitSync(partsOf(plan), { checks, ...contextOf(plan) });
  }
  const { expectedVersion } = part;
  const answer = log.appendSync(part.stream, eventsOf(plan, 0), {
    expectedVersion,
    ...contextOf(plan),
  });
  return committed(plan, answer);
}
