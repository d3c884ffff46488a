/**
 * Heavy work in a thread of its own: started when there is something to do, ended when there has been nothing for a while. What it does
 * survives its death at any moment, so that stopping it is ending the thread.
 */
import { Worker } from 'node:worker_threads';
import { StoreClosedError } from '../errors.js';
import type { ArchivedSegment, ArchiveJob } from '../log/archive-write.js';
import type { ErrorLetter } from '../log/channel.js';
import { errorOf } from '../log/error-letter.js';
import type { DropJob } from '../log/remains-write.js';
import type { HeavyWork } from './heavy-work.js';

/** What the thread is asked to do. Paths are made anew there. */
export interface HeavyLetter {
  readonly kind: 'archive' | 'measure' | 'remains';
  readonly directory: string;
  readonly job: Omit<ArchiveJob, 'paths'> | Omit<DropJob, 'paths'>;
}

export type HeavyAnswer =
  | { readonly done: ArchivedSegment | undefined }
  | { readonly failed: ErrorLetter };

interface Flight {
  readonly resolve: (answer: HeavyAnswer) => void;
  readonly reject: (error: Error) => void;
}

const YOUNG_MIB = 4;
/** An idle thread ends after that long, ms. */
const IDLE_MS = 5000;

export class ThreadWork implements HeavyWork {
  readonly #directory: string;
  /** True while somebody waits for the result: then the process stays for it. */
  readonly #keepsProcess: () => boolean;
  readonly #script: URL;
  #worker: Worker | undefined;
  #flight: Flight | undefined;
  #idle: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param script - what the thread runs */
  constructor(
    directory: string,
    keepsProcess: () => boolean,
    script: URL = new URL('./heavy-worker.js', import.meta.url),
  ) {
    this.#directory = directory;
    this.#keepsProcess = keepsProcess;
    this.#script = script;
  }

  archive(job: ArchiveJob): Promise<ArchivedSegment> {
    return this.#askOf('archive', job);
  }

  measure(job: ArchiveJob): Promise<ArchivedSegment> {
    return this.#askOf('measure', job);
  }

  async #askOf(
    kind: 'archive' | 'measure',
    { paths: _, ...job }: ArchiveJob,
  ): Promise<ArchivedSegment> {
    const answer = await this.#ask({ kind, directory: this.#directory, job });
    return answer as ArchivedSegment;
  }

  async remains({ paths: _, ...job }: DropJob): Promise<void> {
    await this.#ask({ kind: 'remains', directory: this.#directory, job });
  }

  await(): void {
    if (this.#flight) this.#worker?.ref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#fail(new StoreClosedError());
    await worker?.terminate();
  }

  async #ask(letter: HeavyLetter): Promise<ArchivedSegment | undefined> {
    if (this.#stopped) throw new StoreClosedError();
    clearTimeout(this.#idle);
    const worker = this.#started();
    const answer = await new Promise<HeavyAnswer>((resolve, reject) => {
      this.#flight = { resolve, reject };
      if (this.#keepsProcess()) worker.ref();
      worker.postMessage(letter);
    });
    worker.unref();
    this.#idle = setTimeout(() => this.#end(), IDLE_MS);
    this.#idle.unref();
    if ('failed' in answer) throw errorOf(answer.failed, this.#directory);
    return answer.done;
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#script, {
      // Its own arguments: a program's --require or --eval has no business in here.
      execArgv: [],
      env: {},
      stdout: true,
      stderr: true,
      name: 'recollect compaction',
      // Buffers that are no longer used go when young objects are collected: with little room for these, that is soon.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    worker.on('message', (answer: HeavyAnswer) => {
      const flight = this.#flight;
      this.#flight = undefined;
      flight?.resolve(answer);
    });
    worker.on('error', (error) => this.#died(worker, error));
    worker.on('exit', () => this.#died(worker, new Error('the thread for compaction ended')));
    // Behind the listeners: to listen for messages keeps the process.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker === worker) this.#worker = undefined;
    else return;
    this.#fail(new ThreadDied(error));
  }

  #fail(error: Error): void {
    const flight = this.#flight;
    this.#flight = undefined;
    flight?.reject(error);
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }
}

/** The thread could not be started, or died on its own. What it was doing may be done elsewhere. */
export class ThreadDied extends Error {
  constructor(cause: Error) {
    super('the thread for compaction ended on its own', { cause });
  }
}
