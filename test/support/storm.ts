/**
 * A storm: several processes write to one directory, some are killed at random moments and replaced, others are stopped for a
 * while, and others read all the while. What comes of it is compared with what the writers were told.
 */

import { createHash } from 'node:crypto';
import {
  type Log,
  type LogOptions,
  openLog,
  RecollectError,
  type RecordedEvent,
  type VerifyReport,
} from '#src/index.js';
import { digestOf } from './event-order.mjs';
import { Program } from './programs.js';
import { SeededRandom } from './random.js';
import type { ReadingKind, ReadingReport, ReadingTask } from './reading-process.mjs';
import { type Heard, stormProblems } from './storm-check.js';
import { stormCommit } from './storm-plan.mjs';
import type { WritingReport, WritingTask } from './writing-process.mjs';

export interface StormOptions {
  readonly directory: string;
  readonly writers: number;
  /** It ends when so many commits were acknowledged and so many processes killed. */
  readonly commits: number;
  readonly kills: number;
  /** Also stops writers by SIGSTOP now and then, and lets them go on a little later. */
  readonly stops?: boolean;
  readonly readers: readonly ReadingKind[];
  readonly seed: number;
  readonly options?: LogOptions;
  /** Codes of errors that may come: what they refuse must not stand. */
  readonly tolerated?: readonly string[];
}

export interface StormReport {
  readonly problems: string[];
  readonly acknowledged: number;
  readonly repeated: number;
  readonly refused: number;
  readonly tolerated: number;
  readonly killed: number;
  /** Of those, how many before they had opened the log. */
  readonly killedWhileOpening: number;
  readonly stopped: number;
  readonly repairs: number;
  readonly segments: number;
  readonly verified: VerifyReport;
}

const CALLS = ['mixed', 'async', 'mixed', 'sync'] as const;
/** Small enough that segments change every few dozen commits. */
const SEGMENT_BYTES = 64 * 1024;

class StormWriter {
  readonly name: string;
  readonly #storm: StormOptions;
  readonly #place: number;
  readonly #heard: Heard[];
  readonly #random: SeededRandom;
  program: Program | undefined;
  opened = false;
  /** It was killed, and its replacement has not begun. */
  dying = false;
  #acknowledged: number[] = [];
  #next = 1;

  constructor(storm: StormOptions, place: number, heard: Heard[], random: SeededRandom) {
    this.#storm = storm;
    this.#place = place;
    this.name = `writer-${place + 1}`;
    this.#heard = heard;
    this.#random = random;
  }

  start(onReport: (report: WritingReport) => void): void {
    const { directory, options, tolerated } = this.#storm;
    const again = this.#again();
    const task: WritingTask = {
      directory,
      writer: this.name,
      first: this.#next,
      again,
      callers: this.#random.pick([1, 4, 16]),
      calls: CALLS[this.#place % CALLS.length] ?? 'mixed',
      options: {
        actor: this.name,
        segmentBytes: SEGMENT_BYTES,
        lockTimeoutMs: 60_000,
        writerThread: this.#place % 3 !== 2,
        ...options,
      },
      ...(tolerated ? { tolerated: [...tolerated] } : {}),
    };
    this.opened = false;
    this.dying = false;
    this.program = new Program('./writing-process.mjs', { task });
    this.program.onLine((line) => {
      const report = JSON.parse(line) as WritingReport;
      this.#heard.push({ writer: this.name, report });
      if (report.kind === 'opened') this.opened = true;
      if (report.kind === 'acknowledged' || report.kind === 'refused' || report.kind === 'failed') {
        this.#next = Math.max(this.#next, report.number + 1);
      }
      if (report.kind === 'acknowledged') this.#acknowledged.push(report.number);
      onReport(report);
    });
  }

  /** Whatever had a key and is without an answer, and some of what has one already: that must be told the first answer. */
  #again(): number[] {
    const done = new Set(this.#acknowledged);
    const isKeyed = (number: number) => stormCommit(this.name, number).idempotencyKey !== undefined;
    const all = Array.from({ length: this.#next }, (_, index) => index + 1);
    // Beyond the last number that was heard of, the dead process may have begun as many as it had callers.
    const open = Array.from({ length: 16 }, (_, index) => this.#next + index);
    const unfinished = [...all, ...open].filter((number) => !done.has(number));
    this.#next += 17;
    const keyed = unfinished.filter(isKeyed);
    const answered = this.#acknowledged.filter(isKeyed).filter(() => this.#random.chance(0.05));
    return [...keyed.slice(-100), ...answered];
  }
}

/** @returns what came of it; the directory is left for the test to look at */
export async function storm(plan: StormOptions): Promise<StormReport> {
  const random = new SeededRandom(plan.seed);
  const heard: Heard[] = [];
  const problems: string[] = [];
  const readers: { kind: ReadingKind; program: Program; reports: ReadingReport[] }[] = [];
  let acknowledged = 0;
  let killed = 0;
  let killedWhileOpening = 0;
  let stopped = 0;
  let stopping = false;
  const pauses = new Set<Promise<void>>();

  // Each death comes after so many acknowledgements of anybody, or so many milliseconds after a start.
  let untilKill = 50 + random.below(200);
  const writers = Array.from(
    { length: plan.writers },
    (_, place) => new StormWriter(plan, place, heard, random),
  );
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const kill = (writer: StormWriter): void => {
    const { program } = writer;
    if (!program?.running || writer.dying || stopping || killed >= plan.kills) return;
    killed += 1;
    writer.dying = true;
    if (!writer.opened) killedWhileOpening += 1;
    program.kill('SIGKILL');
    void program.ended.then(({ errors }) => {
      if (errors !== '') problems.push(`${writer.name} printed: ${errors}`);
      if (!stopping) begin(writer);
    });
  };

  const begin = (writer: StormWriter): void => {
    writer.start((report) => {
      if (report.kind === 'failed' && !plan.tolerated?.includes(report.code)) {
        problems.push(`${writer.name}/${report.number} failed: ${report.code} ${report.message}`);
      }
      if (report.kind !== 'acknowledged') return;
      acknowledged += 1;
      untilKill -= 1;
      if (untilKill <= 0) {
        untilKill = 50 + random.below(Math.max(50, (1.6 * plan.commits) / Math.max(1, plan.kills)));
        kill(random.pick(writers));
        if (plan.stops && random.chance(0.5)) pause(random.pick(writers));
      }
      if (acknowledged >= plan.commits && killed >= plan.kills) finish();
    });
    const { program } = writer;
    void program?.ended.then(({ code, signal, errors }) => {
      if (signal === 'SIGKILL' || stopping) return;
      problems.push(`${writer.name} ended by ${signal ?? `code ${code}`}: ${errors}`);
      finish();
    });
    // Some die while they open the log.
    if (random.chance(0.25)) setTimeout(() => kill(writer), 20 + random.below(150));
  };

  const pause = (writer: StormWriter): void => {
    const { program } = writer;
    if (!program?.running || stopping) return;
    stopped += 1;
    program.kill('SIGSTOP');
    const over = new Promise<void>((resolve) => setTimeout(resolve, random.below(1500))).then(
      () => {
        program.kill('SIGCONT');
        pauses.delete(over);
      },
    );
    pauses.add(over);
  };

  const first = await openLog(plan.directory, plan.options);
  await first.close();
  for (const kind of plan.readers) {
    const task: ReadingTask = { directory: plan.directory, kind };
    const program = new Program('./reading-process.mjs', { task });
    const reports: ReadingReport[] = [];
    readers.push({ kind, program, reports });
    program.onLine((line) => {
      const report = JSON.parse(line) as ReadingReport;
      reports.push(report);
      if (report.kind === 'problem') problems.push(`a reader found: ${report.problem}`);
    });
  }
  for (const writer of writers) begin(writer);

  await finished;
  stopping = true;
  await Promise.all(pauses);
  for (const { program } of writers) {
    program?.tell('stop');
  }
  for (const { name, program } of writers) {
    const ending = await program?.ended;
    if (ending?.signal === 'SIGKILL') continue;
    if (ending?.code !== 0 || ending.errors !== '') {
      problems.push(`${name} ended by ${ending?.signal ?? ending?.code}: ${ending?.errors}`);
    }
  }

  const log = await openTolerantly(plan);
  const events = await log.readAll().toArray();
  const verified = await log.verify();
  const { segments } = log.stats();
  const { position } = log.head;
  await log.close();
  problems.push(...stormProblems(heard, events));
  if (events.at(-1)?.position !== position) problems.push('readAll ends before the head');
  if (verified.damage) problems.push(`verify found damage: ${JSON.stringify(verified.damage)}`);
  if (verified.commits !== position) problems.push(`verify counted ${verified.commits} commits`);

  for (const { kind, program, reports } of readers) {
    program.tell(String(position));
    const { code, signal, errors } = await program.ended;
    if (code !== 0 || errors !== '') {
      problems.push(`the reader (${kind}) ended by ${signal ?? code}: ${errors}`);
    }
    const last = reports.at(-1);
    if (last?.kind !== 'ended') problems.push(`the reader (${kind}) did not say its end`);
    else if (kind !== 'lines' && last.digest !== digestOfAll(events)) {
      problems.push(`the reader (${kind}) saw another log`);
    }
  }

  const count = (test: (report: WritingReport) => boolean) =>
    heard.filter(({ report }) => test(report)).length;
  return {
    problems: [...new Set(problems)],
    acknowledged,
    repeated: count((report) => report.kind === 'acknowledged' && report.repeated),
    refused: count((report) => report.kind === 'refused'),
    tolerated: count((report) => report.kind === 'failed'),
    killed,
    killedWhileOpening,
    stopped,
    repairs: count((report) => report.kind === 'opened' && report.recovery === 'repaired'),
    segments,
    verified,
  };
}

async function openTolerantly({ directory, tolerated = [] }: StormOptions): Promise<Log> {
  for (;;) {
    try {
      return await openLog(directory);
    } catch (error) {
      if (!(error instanceof RecollectError) || !tolerated.includes(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function digestOfAll(events: readonly RecordedEvent[]): string {
  const digest = createHash('sha256');
  for (const event of events) digest.update(digestOf(event));
  return digest.digest('hex');
}
