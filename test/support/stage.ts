/**
 * Several simulated processes on one stage: at any call that one makes to the disk, another may come in and do a whole piece of its own
 * work, and a third in the middle of that. Who is interrupted while holding the lock holds it all the while.
 */
import { LockTimeoutError, RecollectError, StoreAccessError } from '#src/errors.js';
import type { Disk } from '#src/log/disk.js';
import type { Log } from '#src/log/log.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { type CommitPlan, commitsOf, Ledger } from './ledger.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { CallName } from './simulated-process.js';
import { appendOnSync, DIRECTORY, environmentOn, QUEUE_BYTES, randomOn } from './story.js';

export type Piece =
  | { readonly do: 'append'; readonly plan: CommitPlan }
  | { readonly do: 'read' }
  | { readonly do: 'close' };

export interface Script {
  readonly process: string;
  readonly pieces: readonly Piece[];
}

export interface Play {
  readonly seed: number;
  readonly scripts: readonly Script[];
  /** Numbers of calls, of all processes, before which another process comes in. */
  readonly switches: readonly number[];
}

const CALLS: ReadonlySet<string> = new Set<CallName>([
  'open',
  'close',
  'read',
  'write',
  'truncate',
  'sync',
  'syncDirectory',
  'size',
  'facts',
  'list',
  'makeDirectory',
  'rename',
  'remove',
  'tryLock',
  'unlock',
]);

interface Actor {
  readonly name: string;
  readonly pieces: Piece[];
  readonly disk: Disk;
  log: Log | undefined;
}

export class Stage {
  readonly disk: SimulatedDisk;
  readonly ledger = new Ledger();
  readonly problems: string[] = [];
  readonly #actors: readonly Actor[];
  readonly #switches: ReadonlySet<number>;
  readonly #acting = new Set<Actor>();
  readonly #seed: number;
  #calls = 0;

  constructor({ seed, scripts, switches }: Play) {
    this.#seed = seed;
    this.disk = new SimulatedDisk({ seed });
    this.#switches = new Set(switches);
    this.#actors = scripts.map(({ process: name, pieces }) => ({
      name,
      pieces: [...pieces],
      disk: this.#interrupted(this.disk.process(name)),
      log: undefined,
    }));
  }

  /** Plays all scripts to their end, then closes all logs. */
  play(): void {
    while (this.#enter());
    for (const actor of this.#actors) this.#close(actor);
  }

  #interrupted(disk: Disk): Disk {
    return new Proxy(disk, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const call = (value as (...parameters: unknown[]) => unknown).bind(target);
        if (!CALLS.has(String(name))) return call;
        return (...parameters: unknown[]) => {
          this.#calls += 1;
          if (this.#switches.has(this.#calls)) this.#enter();
          return call(...parameters);
        };
      },
    });
  }

  /** Lets the one who has most to do, of those who are not in the middle of something, do its next piece. */
  #enter(): boolean {
    const [actor] = this.#actors
      .filter((each) => !this.#acting.has(each) && each.pieces.length > 0)
      .sort((a, b) => b.pieces.length - a.pieces.length);
    const piece = actor?.pieces.shift();
    if (!actor || !piece) return false;
    this.#acting.add(actor);
    try {
      this.#act(actor, piece);
    } finally {
      this.#acting.delete(actor);
    }
    return true;
  }

  #act(actor: Actor, piece: Piece): void {
    if (piece.do === 'close') {
      this.#close(actor);
      return;
    }
    const log = actor.log ?? this.#open(actor);
    if (!log) return;
    actor.log = log;
    if (piece.do === 'read') this.#read(actor, log);
    else this.#append(actor, log, piece.plan);
  }

  #open(actor: Actor): Log | undefined {
    const random = randomOn(this.disk, this.#seed + actor.name.charCodeAt(0));
    try {
      return openLogOnSync(environmentOn(actor.disk, this.disk, random), DIRECTORY, {
        segmentBytes: 4096,
        queueBytes: QUEUE_BYTES,
        lockTimeoutMs: 2,
      });
    } catch (error) {
      // Whoever makes the store, or holds the lock, cannot go on before this one is done.
      const isBusy = error instanceof StoreAccessError && this.#isInterrupting();
      if (!isBusy) this.#failed(`${actor.name} opens`, error);
      return undefined;
    }
  }

  #close(actor: Actor): void {
    try {
      actor.log?.closeSync();
    } catch (error) {
      this.#failed(`${actor.name} closes`, error);
    }
    actor.log = undefined;
  }

  #read(actor: Actor, log: Log): void {
    const { head } = this.ledger;
    try {
      const commits = commitsOf(log.readAllSync().toArray());
      const end = commits.at(-1)?.position ?? 0;
      if (end < head) this.problems.push(`${actor.name} reads up to ${end}, not up to ${head}`);
      this.problems.push(...this.ledger.problemsOf(commits, true));
      this.ledger.served(commits);
    } catch (error) {
      this.#failed(`${actor.name} reads`, error);
    }
  }

  #append(actor: Actor, log: Log, plan: CommitPlan): void {
    const attempt = this.ledger.begin(plan);
    try {
      this.ledger.acknowledged(attempt, appendOnSync(log, plan));
    } catch (error) {
      const isOurs = this.#failed(`${actor.name} appends ${plan.content}`, error);
      if (isOurs) this.ledger.failed(attempt, error as Error);
    }
  }

  #isInterrupting(): boolean {
    return this.#acting.size > 1;
  }

  #failed(what: string, error: unknown): boolean {
    const isOurs = error instanceof RecollectError;
    const { code } = isOurs ? error : { code: '' };
    const isAnswer = ['VERSION_CONFLICT', 'IDEMPOTENCY_KEY_REUSED'].includes(code);
    const isLate = error instanceof LockTimeoutError && this.#isInterrupting();
    if (!isAnswer && !isLate) {
      this.problems.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return isOurs;
  }
}
